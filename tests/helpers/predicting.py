"""How predictions are started, to be disturbed."""

import sys
from pathlib import Path

import pyarrow as pa

from tests.helpers.training_examples import ROOT
from visatb.data.demo.exchanges import demo_sample
from visatb.data.records import RECORD_SCHEMA
from visatb.runtime.files import write_parquet

TASKS = ("vqa", "caption")
SHARD = 4
SAMPLES = 30


def command(model: Path, records: Path, folder: Path) -> list[str]:
    places = {"model": model, "records": records, "output": folder / "out", "shards": folder / "shards"}
    return [
        *(sys.executable, str(ROOT / "workflow_scripts/predict.py"), "--run", "mini", "--split", "val"),
        *(text for name, path in places.items() for text in (f"--{name}", str(path))),
        *("--max-new-tokens", *(f"{task}=8" for task in TASKS), "--batch-size", "2", "--shard-size", str(SHARD)),
        *("--precision", "float32", "--attention", "eager"),
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
