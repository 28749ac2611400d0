"""Nested random subsets of a task's train split, and the mixtures that runs are trained on."""

import hashlib
import mmap
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from visatb.errors import VisatbError
from visatb.runtime.files import atomic_path, parquet_batches, read_parquet, taken_rows

MIXTURE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))),
        ("task", pa.string()),
        ("subset", pa.string()),
    ]
)
BLOCK = 16_384
"""Rows that are copied at a time."""

_ARROW = b"ARROW1"
_ROW = MIXTURE_SCHEMA.names[:3]


def subset_size(samples: int, rate: float) -> int:
    """Return how many of ``samples`` a subset of that rate holds, rounded to the nearest whole number."""
    return int(np.floor(samples * rate + 0.5))


def subset_rows(samples: int, size: int, seed: int, task: str) -> np.ndarray:
    """Return the rows of a random subset, shape [size], in drawing order.

    The subset is a prefix of one permutation that depends on seed and task alone: a smaller subset lies within
    every larger one, as Eq. 3 wants of mini and large.
    """
    key = int.from_bytes(hashlib.sha256(f"{seed}/{task}".encode()).digest()[:8], "little")
    return np.random.default_rng(key).permutation(samples)[:size]


def nested_rows(subset: str, order: np.ndarray, size: int, given: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return the rows of a subset: those given, or the first of ``order`` with which mini still lies within large.

    Args:
        subset: ``mini``, ``large`` or ``train``.
        order: every row, in drawing order.
        size: how many are wanted.
        given: subset -> its rows, where they are ready-made.
    """
    if subset in given:
        return given[subset]
    if subset == "mini" and "large" in given:
        order = order[np.isin(order, given["large"])]
    if subset == "large" and "mini" in given:
        order = np.concatenate([given["mini"], order[~np.isin(order, given["mini"])]])
    return order[:size]


def build_mixture(
    records: Mapping[str, pa.Table],
    subsets: Mapping[str, str],
    rates: Mapping[str, float],
    seed: int,
    ready_made: Mapping[tuple[str, str], np.ndarray] | None = None,
) -> pa.Table:
    """Return the rows that a run is trained on.

    Args:
        records: task -> its train split (`visatb.data.records`).
        subsets: task -> ``mini``, ``large`` or ``train``.
        rates: subset -> sampling rate.
        seed: of the sampling.
        ready_made: (task, subset) -> its rows, where they are given and not drawn.

    Raises:
        VisatbError: a subset would be empty, or the large subset no larger than the mini one.
    """
    blocks = [
        block
        for task, subset in subsets.items()
        for block in _blocks(task, subset, records[task].select(_ROW).to_batches(), rates, seed, ready_made or {})
    ]
    return pa.Table.from_batches(blocks, MIXTURE_SCHEMA)


def write_mixture(
    output: str | Path,
    records: str | Path,
    subsets: Mapping[str, str],
    rates: Mapping[str, float],
    seed: int,
    ready_made: Mapping[tuple[str, str], np.ndarray] | None = None,
) -> None:
    """Write the rows of `build_mixture` as an Arrow file, atomically; what is in memory at a time are `BLOCK` rows.

    ``records``: the folder that holds ``<task>/train.parquet``.
    """
    with atomic_path(output) as temporary, pa.ipc.new_file(temporary, MIXTURE_SCHEMA) as writer:
        for task, subset in subsets.items():
            with _unpacked(Path(records) / task / "train.parquet", temporary.parent) as batches:
                for block in _blocks(task, subset, batches, rates, seed, ready_made or {}):
                    writer.write_batch(block)


@contextmanager
def _unpacked(records: Path, folder: Path) -> Iterator[list[pa.RecordBatch]]:
    """Give a Parquet file's rows as they lie on disk, unpacked, in a file without a name that goes with its process.

    Rows are then read in any order without the others: only pages that are read are in memory.
    """
    with tempfile.TemporaryFile(dir=folder) as stream:
        schema = pa.schema([MIXTURE_SCHEMA.field(name) for name in _ROW])
        with pa.ipc.new_file(stream, schema) as writer:
            for batch in parquet_batches(records, _ROW, BLOCK):
                writer.write_batch(batch.cast(schema))
        stream.flush()
        mapped = pa.py_buffer(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        reader = pa.ipc.open_file(mapped)
        yield [reader.get_batch(number) for number in range(reader.num_record_batches)]


def read_mixture(path: str | Path) -> pa.Table:
    """Return a mixture that stays on disk: its pages are read when its rows are, and shared by all processes.

    A Parquet file with the same columns is read too, but whole. Raises `VisatbError` if it is missing or neither.
    """
    try:
        source = pa.memory_map(str(path))
        if source.read(len(_ARROW)) != _ARROW:
            return read_parquet(path)
        return pa.ipc.open_file(source).read_all()
    except (OSError, pa.ArrowInvalid) as error:
        raise VisatbError(
            f"{path}: cannot be read as a mixture ({error}); delete it, so far as it is there, to have it made again, "
            "and give the same command again"
        ) from error


def subset_amounts(paths: Iterable[str | Path]) -> pd.DataFrame:
    """Return a row for each run and task in ``<run>.arrow`` files: ``run``, ``task``, ``subset`` and ``samples``."""
    parts = []
    for path in map(Path, paths):
        counts = (
            read_mixture(path).select(["task", "subset"]).group_by(["task", "subset"]).aggregate([([], "count_all")])
        )
        parts.append(counts.to_pandas().rename(columns={"count_all": "samples"}).assign(run=path.stem))
    return pd.concat(parts, ignore_index=True)[["run", "task", "subset", "samples"]]


def _blocks(
    task: str,
    subset: str,
    batches: Sequence[pa.RecordBatch],
    rates: Mapping[str, float],
    seed: int,
    ready_made: Mapping[tuple[str, str], np.ndarray],
) -> Iterator[pa.RecordBatch]:
    samples = sum(map(len, batches))
    sizes = {name: subset_size(samples, rate) for name, rate in rates.items()}
    given = {name: rows for (owner, name), rows in ready_made.items() if owner == task}
    sizes |= {name: len(rows) for name, rows in given.items()}
    _check_sizes(task, subset, samples, sizes, rates)
    rows = nested_rows(subset, subset_rows(samples, samples, seed, task), sizes[subset], given)
    for start in range(0, len(rows), BLOCK):
        block = taken_rows(batches, rows[start : start + BLOCK])
        block = block.append_column("task", pa.array([task] * len(block), pa.string()))
        block = block.append_column("subset", pa.array([subset] * len(block), pa.string()))
        yield from block.cast(MIXTURE_SCHEMA).combine_chunks().to_batches()


def _check_sizes(task: str, subset: str, samples: int, sizes: Mapping[str, int], rates: Mapping[str, float]) -> None:
    if sizes[subset] == 0:
        raise VisatbError(
            f"task '{task}': its {subset} subset ({rates[subset]:g} of {samples} samples) is empty; "
            f"raise sampling.{subset} or give the task more data"
        )
    if subset == "large" and sizes["large"] <= sizes["mini"]:
        raise VisatbError(
            f"task '{task}': its large subset holds {sizes['large']} of {samples} samples, "
            f"no more than its mini subset ({sizes['mini']}); "
            "raise sampling.large, lower sampling.mini or give the task more data"
        )
