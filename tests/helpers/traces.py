"""A small training for the faults, and what it leaves on disk: checkpoints, history, model."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.helpers.training_examples import training_command

SETTINGS: dict[str, Any] = {"micro_batch_size": 2, "epochs": 3, "save_steps": 3}
"""24 steps with a checkpoint after every third; the last step of an epoch is ragged."""
STEPS = 24


@dataclass(frozen=True)
class Training:
    """A small training: what it starts from, and what becomes of it if nothing happens."""

    base: Path
    mixture: Path
    model: Path
    seconds: float
    file_events: int

    def command(self, folder: Path, **changes: Any) -> list[str]:
        """Return the command that does this training in ``folder``."""
        return training_command(folder, self.base, self.mixture, **SETTINGS | changes)


def whole_checkpoint(folder: Path) -> int:
    """Return the step of the newest checkpoint that bears its mark, or 0."""
    marks = folder.glob("checkpoints/*/*/checkpoint-*/complete.json")
    return max((int(path.parent.name.removeprefix("checkpoint-")) for path in marks), default=0)


def is_finished(folder: Path) -> bool:
    return any(folder.glob("checkpoints/*/finished/complete.json"))


def history(folder: Path) -> list[dict[str, int]]:
    """Return the whole lines of training.jsonl."""
    path = folder / "training.jsonl"
    lines = path.read_bytes().splitlines() if path.is_file() else []
    return [json.loads(line) for line in lines if line.endswith(b"}")]


def check_what_is_lost(folder: Path) -> None:
    """See that a killed training has kept all steps but those since its last checkpoint was due."""
    if is_finished(folder) or not history(folder):
        return
    assert max(line["step"] for line in history(folder)) - whole_checkpoint(folder) <= SETTINGS["save_steps"]


def check_where_it_went_on(said: str, before: int, finished: bool, lines: list[dict[str, int]]) -> None:
    """See that an attempt went on from the newest whole checkpoint, and trained nothing if the model was finished."""
    if finished:
        assert "nothing to train" in said
        assert lines == []
        return
    went_on = re.search(r"goes on from \S+/checkpoint-(\d+)\n", said)
    assert (int(went_on[1]) if went_on else 0) == before
    steps = [line["step"] for line in lines]
    assert steps[:1] == ([before + 1] if before < STEPS else []), "the first step of an attempt is always logged"
