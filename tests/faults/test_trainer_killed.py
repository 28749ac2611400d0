"""A trainer that is killed, whenever that is, and started again ends with the undisturbed model, to the bit."""

import random
import time
from pathlib import Path

import pytest

from tests.helpers.faulting import Started, assert_same_files, at_file_event, finish, seeds, started
from tests.helpers.traces import (
    SETTINGS,
    STEPS,
    Training,
    check_what_is_lost,
    check_where_it_went_on,
    history,
    is_finished,
    whole_checkpoint,
)


def kill_somewhere(draw: random.Random, training: Training, folder: Path, printed: Path) -> str:
    """Start the training and kill it at a moment from its whole life; return when that was, in words."""
    kind = draw.choice(("any moment", "training", "checkpoint", "model", "file event"))
    line, number = training.command(folder), draw.randint(1, training.file_events)
    with started(at_file_event("kill", number, folder, line) if kind == "file event" else line, printed) as trainer:
        if kind == "file event":
            trainer.end()
            return f"at file event {number}"
        before = whole_checkpoint(folder)
        wait_for_kind(kind, draw, trainer, folder, before)
        pause = draw.uniform(0, {"any moment": training.seconds, "training": 1.5}.get(kind, 0.15))
        time.sleep(pause)
        trainer.process.kill()
        trainer.end()
        return f"{kind}, {pause:.3f} s after its sign"


def wait_for_kind(kind: str, draw: random.Random, trainer: Started, folder: Path, before: int) -> None:
    """Wait for the beginning of what is to be disturbed, or for the trainer's end."""
    if kind == "training":
        lines = len(history(folder))
        trainer.wait_for(lambda: len(history(folder)) > lines)
    if kind == "checkpoint":
        every = SETTINGS["save_steps"]
        step = min(STEPS, draw.randrange(before, STEPS + 1, every) + every)
        trainer.wait_for(lambda: any(folder.glob(f"checkpoints/*/whole/checkpoint-{step}")))
    if kind == "model":
        trainer.wait_for(lambda: any(folder.glob("checkpoints/*/last")))


@pytest.mark.slow
@seeds(2)
def test_killed_at_any_moment_it_ends_as_if_undisturbed(tmp_path: Path, training: Training, seed: int) -> None:
    draw = random.Random(seed)
    folder, printed = tmp_path / "run", tmp_path / "printed.txt"
    for _ in range(draw.randint(1, 3)):
        print(kill_somewhere(draw, training, folder, printed))
        check_what_is_lost(folder)
        before = whole_checkpoint(folder)
    finished, lines = is_finished(folder), len(history(folder))
    said = finish(training.command(folder), printed)
    check_where_it_went_on(said, before, finished, history(folder)[lines:])
    assert_same_files(folder / "model", training.model)
    assert left_behind(folder) == []


def left_behind(folder: Path) -> list[str]:
    """Return what lies in a finished run's folder and has no business there."""
    expected = {"model", "training.jsonl", "tensorboard", "checkpoints"}
    own = next(path for path in folder.glob("checkpoints/*/finished")).parent
    strangers = [path for path in folder.iterdir() if path.name not in expected]
    strangers += [path for path in folder.glob("checkpoints/*") if path != own]
    strangers += [path for path in own.iterdir() if path.name not in ("finished", "training.json")]
    return sorted(str(path) for path in [*strangers, *folder.rglob("*.tmp*")])


@pytest.mark.slow
@seeds(1)
def test_killed_at_the_end_nothing_is_left_behind(tmp_path: Path, training: Training, seed: int) -> None:
    # The last fifth of the file events: the last checkpoint, the model, its publication, what is removed after it.
    draw = random.Random(seed)
    number = draw.randint(training.file_events * 4 // 5, training.file_events)
    folder, printed = tmp_path / "run", tmp_path / "printed.txt"
    with started(at_file_event("kill", number, folder, training.command(folder)), printed) as trainer:
        trainer.end()
    before, finished, lines = whole_checkpoint(folder), is_finished(folder), len(history(folder))
    said = finish(training.command(folder), printed)
    check_where_it_went_on(said, before, finished, history(folder)[lines:])
    assert_same_files(folder / "model", training.model)
    assert left_behind(folder) == []
