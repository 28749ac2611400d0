"""Checkpoints that survive a kill: recognised when whole, never mixed between different trainings.

A run's checkpoints lie in a folder named after the fingerprint of everything that the training's result depends on.
A training that was described otherwise has another folder, so that it can never go on from these by mistake.
"""

import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from visatb.errors import VisatbError, bullet_list
from visatb.runtime.digests import checksums, file_digest, fingerprint
from visatb.runtime.files import atomic_path, free_space, link_or_copy, read_json, write_json

WHOLE = "whole"
LAST = "last"
MARKER = "complete.json"
DESCRIPTION = "training.json"


class Checkpoints:
    """The checkpoints of one training, described by ``description`` (JSON values).

    Step checkpoints lie in a folder named ``layout``: `WHOLE`, which serves any number of processes, or the
    `deepspeed_layout` that they are cut up by, which serves no other.
    """

    def __init__(self, root: str | Path, description: Mapping[str, Any], layout: str = WHOLE) -> None:
        self.root = Path(root)
        self.description = dict(description)
        self.folder = self.root / fingerprint(description)
        self.steps = self.folder / layout
        self.last = self.folder / LAST
        """Where the trained model is saved, before it counts as finished."""
        self.finished_model = self.folder / "finished"

    def open(self) -> None:
        """Make the folder, write into it what was trained, and remove what a kill has left of the model's saving."""
        shutil.rmtree(self.last, ignore_errors=True)
        self.steps.mkdir(parents=True, exist_ok=True)
        write_json(self.folder / DESCRIPTION, self.description)

    def is_finished(self) -> bool:
        """Tell whether the training had ended and its model still has the content that was saved."""
        return not defect(self.finished_model)

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
        return _newest_first(self.steps)

    def newest_intact(self) -> Path | None:
        """Return the newest whole checkpoint, or None."""
        return _newest_intact(self.steps)

    def refuse_other_layouts(self) -> None:
        """Raise `VisatbError` if this training has whole checkpoints in other layouts but none in its own.

        To start again beside them would silently throw away what was trained.
        """
        if self.newest_intact():
            return
        others = (path for path in sorted(self.folder.glob("*/")) if path != self.steps)
        lines = [f"{newest}: made {_maker(path.name)}" for path in others if (newest := _newest_intact(path))]
        if lines:
            raise VisatbError(
                f"{self.folder}: holds checkpoints of this training that cannot be resumed as it was started now, "
                f"{_maker(self.steps.name)}:\n{bullet_list(lines)}\nAsk for the same GPUs and DeepSpeed config again, "
                "or remove the folders that hold these checkpoints to start from the beginning"
            )

    def remove_broken(self) -> dict[Path, str]:
        """Remove the checkpoints that are newer than the newest without a `defect`; return them with theirs."""
        broken = {}
        for path in self.all():
            if not (fault := defect(path)):
                break
            broken[path] = fault
            shutil.rmtree(path)
        return broken

    def keep_newest(self, number: int) -> None:
        """Mark the newest checkpoint as whole and only then remove all but ``number`` of them."""
        kept, old = self.all()[:number], self.all()[number:]
        mark_complete(kept[0])
        for path in old:
            shutil.rmtree(path)

    def finish(self) -> None:
        """Take the model in ``last`` as the result; drop what is no longer needed."""
        mark_complete(self.last)
        if self.finished_model.exists():
            shutil.rmtree(self.finished_model)
        os.replace(self.last, self.finished_model)
        self.tidy()

    def tidy(self) -> None:
        """Remove what a finished training no longer needs."""
        for path in self.folder.iterdir():
            if path.is_dir() and path != self.finished_model:
                shutil.rmtree(path)
        self.remove_others()

    def publish(self, destination: str | Path) -> None:
        """Make ``destination`` the finished model, by hard links where the file system has them."""
        with atomic_path(destination) as temporary:
            ignore = shutil.ignore_patterns(MARKER)
            shutil.copytree(self.finished_model, temporary, copy_function=link_or_copy, ignore=ignore)


def deepspeed_layout(config: str | Path, processes: int) -> str:
    """Name what a step checkpoint of DeepSpeed fits: the config file (its name and content) and the processes."""
    return f"{Path(config).stem}-{file_digest(config)[:8]}-{processes}"


def _maker(layout: str) -> str:
    cut = re.fullmatch(r"(.+)-([0-9a-f]{8})-(\d+)", layout)
    if not cut:
        return "without DeepSpeed"
    name, digest, processes = cut.groups()
    return f"by {processes} process(es) with the DeepSpeed config {name}.json (SHA-256 {digest}...)"


def _newest_first(steps: Path) -> list[Path]:
    checkpoints = [path for path in steps.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdigit()]
    return sorted(checkpoints, key=lambda path: int(path.name.removeprefix("checkpoint-")), reverse=True)


def _newest_intact(steps: Path) -> Path | None:
    return next((path for path in _newest_first(steps) if is_intact(path)), None)


def mark_complete(checkpoint: str | Path) -> None:
    """Write into a checkpoint the sizes and checksums of its files: the sign that it is whole.

    Everything is on disk before.
    """
    folder = Path(checkpoint)
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name != MARKER]
    sizes = [_flushed_size(path) for path in files]
    marks = ({"bytes": size, "crc32": crc32} for size, crc32 in zip(sizes, checksums(files), strict=True))
    write_json(folder / MARKER, dict(zip((str(path.relative_to(folder)) for path in files), marks, strict=True)))


def is_intact(checkpoint: str | Path) -> bool:
    """Tell whether a checkpoint was written to its end and none of its files was cut short since."""
    folder = Path(checkpoint)
    try:
        marks = read_json(folder / MARKER)
        return bool(marks) and all((folder / name).stat().st_size == mark["bytes"] for name, mark in marks.items())
    except (VisatbError, OSError, LookupError, TypeError, AttributeError):
        return False


def defect(checkpoint: str | Path) -> str:
    """Return what is wrong with a checkpoint, or nothing; unlike `is_intact` this reads all of it."""
    folder = Path(checkpoint)
    if not is_intact(folder):
        return "not whole"
    marks = read_json(folder / MARKER)
    try:
        sums = checksums([folder / name for name in marks])
    except OSError as error:
        return f"not readable ({error})"
    changed = [name for name, crc32 in zip(marks, sums, strict=True) if marks[name]["crc32"] != crc32]
    return f"damaged ({', '.join(changed)})" if changed else ""


@contextmanager
def told_if_unwritable(path: Path) -> Iterator[None]:
    """Turn a failure to write ``path``, a folder, into a message with the room that is left; remove what was begun.

    Raises:
        VisatbError: naming the folder, the reason and the free space of its file system.
    """
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        shutil.rmtree(path, ignore_errors=True)
        raise VisatbError(
            f"{path}: could not be written ({error}); {free_space(path)} are free in {path.parent}. "
            "Make room there and give the same command again: it goes on from the checkpoint before"
        ) from error


def _flushed_size(path: Path) -> int:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
        return os.fstat(stream.fileno()).st_size
