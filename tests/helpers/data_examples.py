"""Small annotation files and pictures for tests of what reads them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from visatb.data import records
from visatb.data.bad_records import Report
from visatb.data.jobs import SplitJob

Record = dict[str, Any]


def record(name: object = "a1", image: object = "a.png", answer: object = "a red circle", **more: Any) -> Record:
    """Return a good LLaVA-format record."""
    question = "<image>\nWhat is it?" if image else "What is it?"
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    return {"id": name, "image": image, "conversations": turns, **more}


def picture(folder: Path, name: str = "a.png") -> None:
    """Write a picture."""
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (8, 8), "red").save(folder / name)


def write_list(path: Path, records: Any) -> Path:
    """Write a JSON list, one record a line."""
    path.write_text("[\n" + ",\n".join(json.dumps(item) for item in records) + "\n]\n", encoding="utf-8")
    return path


def split_job(task: str, split: str, image_folder: Path, **more: Any) -> SplitJob:
    """Return what checking a split depends on."""
    return SplitJob.model_validate({"task": task, "split": split, "image_folder": str(image_folder), **more})


def read_split(
    task: str, split: str, files: list[Path], image_folder: Path, tolerated: float = 0.0, **more: Any
) -> tuple[pa.Table, Report]:
    """Read and check one split, its job told by keywords."""
    return records.read_split(split_job(task, split, image_folder, tolerated=tolerated, **more), files)
