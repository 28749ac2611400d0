"""How predictions are started, to be disturbed."""

import sys
from pathlib import Path

import pyarrow as pa

from tests.helpers.training_examples import ROOT
from visatb.data.demo.exchanges import demo_sample
from visatb.data.records import RECORD_SCHEMA
from visatb.evaluation.jobs import LoadedJob, PredictionJob
from visatb.runtime.cli import as_json
from visatb.runtime.files import write_parquet

TASKS = ("vqa", "caption")
SHARD = 4
SAMPLES = 30
JOB = PredictionJob(
    run="mini",
    split="val",
    max_new_tokens=dict.fromkeys(TASKS, 8),
    shard_size=SHARD,
    loaded=LoadedJob(batch_size=2, precision="float32", attention="eager"),
)


def command(model: Path, records: Path, folder: Path) -> list[str]:
    places = {"model": model, "records": records, "output": folder / "out", "shards": folder / "shards"}
    return [
        *(sys.executable, str(ROOT / "workflow_scripts/evaluation.py"), "predict", "--job", as_json(JOB)),
        *(text for name, path in places.items() for text in (f"--{name}", str(path))),
    ]


Shards = dict[Path, tuple[int, int]]


def shards(folder: Path) -> Shards:
    """Return the shards of answers that are there, and what tells whether one was written anew."""
    found = {path: path.stat() for path in folder.glob("shards/*/val/*/*.parquet")}
    return {path: (status.st_ino, status.st_mtime_ns) for path, status in found.items()}


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
