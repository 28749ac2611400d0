"""Small annotation files and pictures for tests of what reads them."""

import json
from pathlib import Path
from typing import Any

from PIL import Image

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
