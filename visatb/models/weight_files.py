"""The tensors of a checkpoint as they lie in its files: listed first, read a few at a time."""

import math
import pickle
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open

from visatb.errors import VisatbError
from visatb.runtime.files import read_json

LAYOUTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class StoredTensor:
    """A tensor that was found in a file and not read."""

    file: Path
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def size(self) -> int:
        """Bytes of the tensor."""
        return math.prod(self.shape) * self.dtype.itemsize


def weight_files(folder: Path) -> list[Path]:
    """Return the files that hold a model folder's weights: safetensors if there are any, else pytorch_model*.bin.

    Raises:
        VisatbError: there are none, or the folder's index names a file that is missing or lies elsewhere.
    """
    for name in LAYOUTS:
        index = folder / f"{name}.index.json"
        if index.is_file():
            return list(_indexed(index))
        if (folder / name).is_file():
            return [folder / name]
    raise VisatbError(
        f"{folder}: no weights found there; expected {' or '.join(LAYOUTS)}, or their shards with "
        f"{' or '.join(f'{name}.index.json' for name in LAYOUTS)}"
    )


def _indexed(index: Path) -> Iterator[Path]:
    content = read_json(index)
    names = content.get("weight_map") if isinstance(content, dict) else None
    if not isinstance(names, dict) or not names:
        raise VisatbError(f"{index}: expected a weight_map of tensors and files, found none")
    for name in sorted(set(names.values())):
        file = index.parent / name
        if Path(name).name != name:
            raise VisatbError(f"{index}: names the file {name!r}, which is not in its folder; it is not opened")
        if not file.is_file():
            raise VisatbError(f"{file}: no such file, but {index.name} names it; get the rest of the checkpoint")
        yield file


def stored_tensors(files: Iterable[Path]) -> dict[str, StoredTensor]:
    """Return what the files hold, by the tensors' names. Raises what `open_tensors` raises."""
    return {
        name: StoredTensor(file, name, tuple(tensor.shape), tensor.dtype)
        for file in files
        for name, tensor in open_tensors(file).items()
    }


def open_tensors(file: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a weights file, mapped into memory: only what is used gets read.

    Raises:
        VisatbError: the file is broken, or a pickle of anything but tensors by name, which is never unpickled.
    """
    if file.suffix == ".safetensors":
        return _open_safetensors(file)
    content = _unpickled(file)
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise VisatbError(f"{file}: expected tensors by name and nothing else, found {_what_it_holds(content)}")
    return dict(content)


def _open_safetensors(file: Path) -> dict[str, torch.Tensor]:
    try:
        with safe_open(file, framework="pt") as opened:
            return {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118 (it is no mapping)
    except (SafetensorError, OSError) as error:
        raise VisatbError(f"{file}: cannot be read as safetensors ({error}); get the file again") from error


def _unpickled(file: Path) -> object:
    try:
        # Files of torch before 1.6 are no archives and cannot be mapped.
        return torch.load(file, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(file))
    except pickle.UnpicklingError as error:
        raise VisatbError(
            f"{file}: is a pickle that holds more than plain tensors, which could run code; it is not loaded. Convert "
            f"it to safetensors where you trust it ({str(error).splitlines()[0]})"
        ) from error
    except (OSError, RuntimeError, EOFError, ValueError) as error:
        raise VisatbError(f"{file}: cannot be read as PyTorch weights ({error}); get the file again") from error


def _what_it_holds(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    name, value = next((n, v) for n, v in content.items() if not isinstance(v, torch.Tensor))
    return f"{name!r}, a {type(value).__name__}"
