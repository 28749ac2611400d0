"""CLIP's embeddings as unit vectors: saved in shards as they are made, then joined into one array."""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from visatb.endpoints.prompts import Prompt
from visatb.errors import VisatbError
from visatb.runtime.digests import checksums
from visatb.runtime.files import atomic_path
from visatb.runtime.locking import alone_in
from visatb.runtime.progress import Progress, say
from visatb.taskgalaxy.tables import Row

Vectors = NDArray[np.float32]
SHARD = "*.npz"


def unit_vectors(vectors: NDArray[Any]) -> Vectors:
    """Return rows divided by their lengths, which are computed in float64.

    Raises:
        VisatbError: a row is all zeros, or not finite.
    """
    wide = np.asarray(vectors, dtype=np.float64)
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    if not np.isfinite(lengths).all() or not (lengths > 0).all():
        raise VisatbError("the CLIP gives vectors that are zero or not finite; look at taskgalaxy.embedding.checkpoint")
    return (wide / lengths).astype(np.float32)


def read_vectors(path: str | Path) -> Vectors:
    """Return vectors that `embed` has written, a row each, mapped into memory."""
    vectors: Vectors = np.load(path, mmap_mode="r", allow_pickle=False)
    return vectors


def type_texts(types: Sequence[Row], text: str) -> list[str]:
    """Return what is embedded of each type: ``text`` with its names in the places ``{level_1}`` to ``{level_3}``."""
    form, levels = Prompt("", text), ("level_1", "level_2", "level_3")
    return [form.filled(**{level: row[level] for level in levels}) for row in types]


def embed(
    keys: Sequence[str],
    vectors_of: Callable[[list[int]], Vectors],
    shards: str | Path,
    output: str | Path,
    label: str,
    sizes: tuple[int, int],
) -> None:
    """Write the unit vectors of what ``keys`` stand for as one ``.npy``, in their order.

    Args:
        keys: digests of the contents, each once.
        vectors_of: embeds the entries with these numbers.
        shards: folder of what is embedded already; what is not there is added, a damaged shard is made again.
        output: the array; readers may map it into memory.
        label: for progress lines.
        sizes: entries of a batch and of a shard.
    """
    with alone_in(shards, label):
        places = _places(Path(shards))
        missing = [number for number, key in enumerate(keys) if key not in places]
        progress = Progress(label, "embedded", len(keys), len(keys) - len(missing))
        batch, shard = sizes
        for start in range(0, len(missing), shard):
            numbers = missing[start : start + shard]
            parts = []
            for first in range(0, len(numbers), batch):
                parts.append(unit_vectors(vectors_of(numbers[first : first + batch])))
                progress.at(len(keys) - len(missing) + min(start + first + batch, len(missing)))
            _save(Path(shards), [keys[number] for number in numbers], np.concatenate(parts), places)
        _join(keys, places, Path(output))


def _save(folder: Path, keys: list[str], vectors: Vectors, places: dict[str, tuple[Path, int]]) -> None:
    path = folder / f"{hashlib.sha256(' '.join(keys).encode()).hexdigest()[:16]}.npz"
    with atomic_path(path) as temporary, temporary.open("wb") as stream:
        np.savez(stream, keys=np.array(keys), vectors=vectors)
    places |= {key: (path, row) for row, key in enumerate(keys)}


def _places(folder: Path) -> dict[str, tuple[Path, int]]:
    """Return where each key's vector lies: its shard and row. Damaged shards are removed."""
    places: dict[str, tuple[Path, int]] = {}
    for path in sorted(folder.glob(SHARD)):
        try:
            with np.load(path, allow_pickle=False) as shard:
                keys, rows = shard["keys"].tolist(), len(shard["vectors"])
            if len(keys) != rows:
                raise ValueError("keys and vectors differ in number")
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            say(f"{path}: damaged ({error}); its contents are embedded again")
            path.unlink()
            continue
        places |= {key: (path, row) for row, key in enumerate(keys)}
    return places


def _join(keys: Sequence[str], places: dict[str, tuple[Path, int]], output: Path) -> None:
    rows_of: dict[Path, list[tuple[int, int]]] = {}
    for number, key in enumerate(keys):
        path, row = places[key]
        rows_of.setdefault(path, []).append((number, row))
    with atomic_path(output) as temporary:
        joined: np.memmap[Any, np.dtype[np.float32]] | None = None
        for path, pairs in rows_of.items():
            with np.load(path, allow_pickle=False) as shard:
                vectors = shard["vectors"]
            if joined is None:
                shape = (len(keys), vectors.shape[1])
                joined = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float32, shape=shape)
            numbers, rows = np.array(pairs).T
            joined[numbers] = vectors[rows]
        if joined is None:
            raise VisatbError(f"{output}: there is nothing to embed")
        joined.flush()


def fingerprint(source: str, **more: str) -> str:
    """Return what vectors depend on beside their contents: a folder's weights and settings, or a hub name."""
    folder = Path(source)
    files = sorted(path for path in folder.glob("*") if path.suffix in (".safetensors", ".json", ".txt", ".model"))
    identity = dict(zip((path.name for path in files), checksums(files), strict=True)) if files else {"name": source}
    return hashlib.sha256(json.dumps(identity | more, sort_keys=True).encode()).hexdigest()[:16]
