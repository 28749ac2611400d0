"""`training.jsonl`: what trainings noted of their steps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visatb.errors import VisatbError


def read_training_log(path: str | Path) -> list[dict[str, Any]]:
    """Return every whole line of a run's `training.jsonl`, those of earlier attempts at a step too.

    A file without a single whole line raises `VisatbError`.
    """
    if not Path(path).is_file():
        raise VisatbError(f"{path}: no such training history")
    with Path(path).open(encoding="utf-8") as lines:
        records = [record for line in lines if (record := _training_record(line))]
    if not records:
        raise VisatbError(f"{path}: no step was logged in it, expected one JSON object with 'step' and 'loss' a line")
    return records


def _training_record(line: str) -> dict[str, Any] | None:
    try:
        record = json.loads(line)
    except json.JSONDecodeError:
        return None
    return record if isinstance(record, dict) and {"step", "loss"} <= record.keys() else None


def history(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the whole lines of a `training.jsonl`, as they were written; none if it is not there."""
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            continue  # cut short by a kill
        if isinstance(entry, dict):
            yield entry
