"""A predictor that is killed, whenever that is, answers every sample exactly once, with the undisturbed answers."""

import random
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from faulting import assert_same_files, at_file_event, finish, seeds, started
from sharing import Shared
from traces import Training
from training_examples import ROOT

from visatb.data.demo.exchanges import demo_sample
from visatb.data.records import RECORD_SCHEMA
from visatb.runtime.files import write_parquet

TASKS = ("vqa", "caption")
SAMPLES = 30
SHARD = 4
Shards = dict[Path, tuple[int, int]]


def write_questions(folder: Path) -> None:
    """Write the records of two tasks, with their images."""
    folder.mkdir(parents=True)
    for task in TASKS:
        rows = []
        for number in range(SAMPLES):
            image, record = demo_sample(0, task, "val", number)
            path = folder / f"{task}-{number}.png"
            image.save(path)
            turns = record["conversations"]
            rows.append({"id": str(number), "image": str(path), "conversations": turns, "truths": [turns[-1]["value"]]})
        write_parquet(folder / task / "val.parquet", pa.Table.from_pylist(rows, schema=RECORD_SCHEMA))


def command(model: Path, records: Path, folder: Path) -> list[str]:
    places = {"model": model, "records": records, "output": folder / "out", "shards": folder / "shards"}
    return [
        *(sys.executable, str(ROOT / "workflow_scripts/predict.py"), "--run", "mini", "--split", "val"),
        *(text for name, path in places.items() for text in (f"--{name}", str(path))),
        *("--max-new-tokens", *(f"{task}=8" for task in TASKS), "--batch-size", "2", "--shard-size", str(SHARD)),
        *("--precision", "float32", "--attention", "eager"),
    ]


@pytest.fixture(scope="session")
def undisturbed(shared: Shared, training: Training) -> Path:
    """Return a folder with records, the answers to them, how long that took and how many file events it was."""

    def fill(folder: Path) -> None:
        write_questions(folder / "records")
        began = time.monotonic()
        line = at_file_event("count", 0, folder / "run", command(training.model, folder / "records", folder / "run"))
        events = finish(line, folder / "printed.txt").rsplit("file events: ", 1)[1]
        (folder / "measured.txt").write_text(f"{time.monotonic() - began} {events}")

    return shared("undisturbed-answers", fill)


def shards(folder: Path) -> Shards:
    """Return the shards of answers that are there, and what tells whether one was written anew."""
    found = {path: path.stat() for path in folder.glob("shards/*/val/*/*.parquet")}
    return {path: (status.st_ino, status.st_mtime_ns) for path, status in found.items()}


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
