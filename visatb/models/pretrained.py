"""What a base checkpoint that the workflow pretrained is made of: noted beside it, so that it is not made again."""

from pathlib import Path

from visatb.models.jobs import AlignmentJob
from visatb.runtime.files import read_json, write_json


def is_pretrained(checkpoint: str | Path, job: AlignmentJob) -> bool:
    """Tell whether a base checkpoint is there, and nothing says that it is made of anything but ``job``.

    Version 0.1 noted nothing; its checkpoints are taken as they are.
    """
    if not (Path(checkpoint) / "config.json").is_file():
        return False
    note = _note(checkpoint)
    return not note.is_file() or AlignmentJob.model_validate(read_json(note)) == job


def note_pretrained(checkpoint: str | Path, job: AlignmentJob) -> None:
    """Note beside a base checkpoint what it is made of."""
    write_json(_note(checkpoint), job.model_dump(mode="json"))


def note_earlier(checkpoint: str | Path, job: AlignmentJob) -> None:
    """Note what a checkpoint is made of that version 0.1 has left without a note, so that a change is seen."""
    if is_pretrained(checkpoint, job) and not _note(checkpoint).is_file():
        note_pretrained(checkpoint, job)


def _note(checkpoint: str | Path) -> Path:
    return Path(f"{checkpoint}.pretraining.json")
