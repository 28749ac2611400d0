"""Checkpoints that survive a kill: recognised when whole, never mixed between different trainings.

A run's checkpoints lie in a folder named after the fingerprint of everything that the training's result depends on.
A training that was described otherwise has another folder, so that it can never go on from these by mistake.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from visatb.errors import VisatbError
from visatb.files import atomic_path, read_json, write_json

MARKER = "complete.json"
DESCRIPTION = "training.json"


def fingerprint(description: Mapping[str, Any]) -> str:
    """Return twelve hexadecimal digits that stand for ``description``."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(folder: str | Path, hash_below: int = 100_000_000) -> str:
    """Return a digest of a model folder, from each file's name and content (from ``hash_below`` bytes on: its size)."""
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    if not files:
        raise VisatbError(f"{folder}: expected a model folder, found nothing")
    parts = [(str(path.relative_to(folder)), _content(path, hash_below)) for path in files]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _content(path: Path, hash_below: int) -> str:
    size = path.stat().st_size
    return file_digest(path) if size < hash_below else f"{size} bytes"


class Checkpoints:
    """The checkpoints of one training, described by ``description`` (JSON values)."""

    def __init__(self, root: str | Path, description: Mapping[str, Any]) -> None:
        self.root = Path(root)
        self.description = dict(description)
        self.folder = self.root / fingerprint(description)
        self.finished_model = self.folder / "finished"

    def open(self) -> None:
        """Make the folder and write into it what was trained."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / DESCRIPTION, self.description)

    def others(self) -> Iterator[str]:
        """Say of each folder of another training what differs there."""
        for path in sorted(self.root.glob(f"*/{DESCRIPTION}")):
            if path.parent != self.folder:
                other = read_json(path)
                changed = [k for k in sorted({*other, *self.description}) if other.get(k) != self.description.get(k)]
                words = (f"{key} was {other.get(key)!r}, is {self.description.get(key)!r}" for key in changed)
                yield f"{path.parent}: not used, it is of another training: {'; '.join(words)}"

    def remove_others(self) -> None:
        """Remove the folders of other trainings of this run."""
        for path in self.root.glob("*/"):
            if path != self.folder and path.is_dir():
                shutil.rmtree(path)

    def all(self) -> list[Path]:
        """Return the folders of the step checkpoints, newest first."""
        found = [p for p in self.folder.glob("checkpoint-*") if p.name.removeprefix("checkpoint-").isdigit()]
        return sorted(found, key=lambda path: int(path.name.removeprefix("checkpoint-")), reverse=True)

    def newest_intact(self) -> Path | None:
        """Return the newest whole checkpoint, or None."""
        return next((path for path in self.all() if is_intact(path)), None)

    def remove_broken(self) -> list[Path]:
        """Remove checkpoints that are not whole and return what they were."""
        broken = [path for path in self.all() if not is_intact(path)]
        for path in broken:
            shutil.rmtree(path)
        return broken

    def finish(self, saved: Path) -> None:
        """Take ``saved``, a whole model folder beside the checkpoints, as the result; drop what is no longer needed."""
        os.replace(saved, self.finished_model)
        for path in self.all():
            shutil.rmtree(path)
        self.remove_others()

    def publish(self, destination: str | Path) -> None:
        """Make ``destination`` the finished model, by hard links where the file system has them."""
        with atomic_path(destination) as temporary:
            shutil.copytree(self.finished_model, temporary, copy_function=_link_or_copy)


def mark_complete(checkpoint: str | Path) -> None:
    """Write into a checkpoint the sizes of its files: the sign that it is whole. Everything is on disk before."""
    folder = Path(checkpoint)
    sizes = {str(path.relative_to(folder)): _flushed_size(path) for path in sorted(folder.rglob("*")) if path.is_file()}
    write_json(folder / MARKER, {name: size for name, size in sizes.items() if name != MARKER})


def is_intact(checkpoint: str | Path) -> bool:
    """Tell whether a checkpoint was written to its end and none of its files was cut short since."""
    folder = Path(checkpoint)
    try:
        sizes = read_json(folder / MARKER)
        return bool(sizes) and all((folder / name).stat().st_size == size for name, size in sizes.items())
    except (VisatbError, OSError):
        return False


def _flushed_size(path: Path) -> int:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        return os.fstat(stream.fileno()).st_size


def _link_or_copy(source: str, destination: str) -> str:
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)
    return destination
