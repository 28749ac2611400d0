"""A predictor that is killed, whenever that is, answers every sample exactly once, with the undisturbed answers."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.helpers.faulting import assert_same_files, at_file_event, finish, seeds, started
from tests.helpers.predicting import SAMPLES, TASKS, Shards, command, shards
from tests.helpers.traces import Training


def kill_somewhere(draw: random.Random, line: Sequence[str], folder: Path, printed: Path, measured: str) -> str:
    """Start the predictor and kill it at a moment of its whole life; return when that was, in words."""
    kind, number = draw.choice(("any moment", "answers", "file event")), draw.randint(1, int(measured.split()[1]))
    before = shards(folder)
    with started(at_file_event("kill", number, folder, line) if kind == "file event" else line, printed) as predictor:
        if kind == "file event":
            predictor.end()
            return f"at file event {number}"
        if kind == "answers":
            predictor.wait_for(lambda: shards(folder).keys() != before.keys())
        pause = draw.uniform(0, float(measured.split()[0]) if kind == "any moment" else 2.0)
        time.sleep(pause)
        predictor.process.kill()
        predictor.end()
        return f"{kind}, {pause:.3f} s after its sign"


@pytest.mark.slow
@seeds(2)
def test_killed_at_any_moment_it_answers_every_sample_once(
    tmp_path: Path, training: Training, undisturbed: Path, seed: int
) -> None:
    draw = random.Random(seed)
    folder, printed = tmp_path / "run", tmp_path / "printed.txt"
    line = command(training.model, undisturbed / "records", folder)
    measured = (undisturbed / "measured.txt").read_text()
    generated = 0
    for _ in range(draw.randint(1, 3)):
        before = shards(folder)
        print(kill_somewhere(draw, line, folder, printed, measured))
        generated += newly_generated(before, shards(folder))
    before = shards(folder)
    finish(line, printed)
    generated += newly_generated(before, shards(folder))
    assert generated == SAMPLES * len(TASKS)
    assert_same_files(folder / "out", undisturbed / "run/out")
    for task in TASKS:
        answered = pq.read_table(folder / "out" / f"{task}.parquet")["id"].to_pylist()
        assert answered == [str(number) for number in range(SAMPLES)]
    assert [path for path in folder.rglob("*") if ".tmp" in path.name or path.name == ".lock"] == []


def newly_generated(before: Shards, after: Shards) -> int:
    """Return how many samples were answered and saved in between; what was saved before must not have been touched."""
    assert {path: after.get(path) for path in before} == before
    return sum(pq.read_metadata(path).num_rows for path in after if path not in before)
