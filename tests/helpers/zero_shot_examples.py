"""Small files of questions in the layouts of the seven benchmarks, drawn from the demo corpus."""

import base64
import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from visatb.data.demo.exchanges import demo_sample

Question = dict[str, Any]


def png(number: int) -> bytes:
    stream = io.BytesIO()
    image: Image.Image = demo_sample(0, "vqa", "test", number)[0]
    image.save(stream, "PNG")
    return stream.getvalue()


def hub_image(number: int) -> dict[str, Any]:
    """Return a picture as the hub's Parquet files hold it."""
    return {"bytes": png(number), "path": f"{number}.png"}


def hub_parquet(path: Path, rows: Sequence[Question], image: object = None) -> Path:
    """Write Parquet as `datasets` does: with its note on which column is a picture."""
    table = pa.Table.from_pylist(list(rows))
    features = {"image": image or {"_type": "Image"}}
    kinds = {pa.int64(): "int64", pa.string(): "string"}
    for field in table.schema:
        if field.name != "image" and field.type in kinds:
            features[field.name] = {"dtype": kinds[field.type], "_type": "Value"}
        elif field.name != "image":
            features[field.name] = {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"}
    about = {"huggingface": json.dumps({"info": {"features": features}})}
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(about), path)
    return path


def pope(count: int = 6) -> list[Question]:
    categories = ("random", "popular", "adversarial")
    return [
        {
            "id": str(number),
            "question_id": str(number),
            "question": "Is there a circle in the image?",
            "answer": "yes" if number % 2 else "no",
            "image_source": f"COCO_val2014_{number:012d}",
            "image": hub_image(number),
            "category": categories[number % 3],
        }
        for number in range(count)
    ]


def textvqa(count: int = 3) -> list[Question]:
    return [
        {
            "image_id": f"{number:016x}",
            "question_id": 34602 + number,
            "question": "what is written here?",
            "image": hub_image(number),
            "answers": ["red"] * 7 + ["blue"] * 3,
            "ocr_tokens": ["RED", "blue,"],
        }
        for number in range(count)
    ]


def mme(count: int = 4) -> list[Question]:
    return [
        {
            "question_id": f"count/{number // 2}.png",
            "image": hub_image(number // 2),
            "question": "Is there one shape in this image? Please answer yes or no.",
            "answer": ("Yes", "No")[number % 2],
            "category": ("count", "code_reasoning")[number // 2 % 2],
        }
        for number in range(count)
    ]


def scienceqa(count: int = 3) -> list[Question]:
    return [
        {
            "image": hub_image(number),
            "question": "Which colour is it?",
            "choices": ["red", "blue", "green"][: 2 + number % 2],
            "answer": number % 2,
            "hint": ("", "Look at the picture.")[number % 2],
        }
        for number in range(count)
    ]


def mmbench_tsv(path: Path, count: int = 2) -> Path:
    """Write MMBench as its authors publish it: tab-separated, pictures in base64, a row an order of the options."""
    names = ["index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image", "source", "l2-category"]
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, [*names, "comment", "split"], delimiter="\t", restval="")
        writer.writeheader()
        for number in range(count):
            one = {"question": "Which colour?", "hint": ("", "Look.")[number % 2], "category": "color", "split": "dev"}
            one |= {"image": base64.b64encode(png(number)).decode(), "source": "x", "l2-category": "perception"}
            writer.writerow(one | {"index": str(241 + number), "A": "red", "B": "blue", "answer": "A"})
            writer.writerow(one | {"index": str(1000241 + number), "A": "blue", "B": "red", "answer": "B"})
    return path


def seed(count: int = 3) -> list[Question]:
    choices = {f"choice_{letter}": text for letter, text in zip("abcd", ("one", "two", "three", "four"), strict=True)}
    return [
        {
            "question_id": str(number),
            "question": "How many shapes are there?",
            **choices,
            "answer": "ABCD"[number % 4],
            "data_type": "image" if number != 1 else "video",
            "image": [hub_image(number)] * (1 if number != 1 else 2),
        }
        for number in range(count)
    ]


def mmvet(count: int = 2) -> list[Question]:
    return [
        {
            "question_id": f"v1_{number}",
            "image": hub_image(number),
            "question": "What is x?",
            "answer": "-1<AND>-5",
            "capability": "ocr,math",
        }
        for number in range(count)
    ]


def write_benchmarks(folder: Path) -> dict[str, dict[str, Any]]:
    """Write data of all seven and return their sections of a config: Parquet, TSV, and JSON lines with files."""
    hub_parquet(folder / "TextVQA" / "validation-00000-of-00001.parquet", textvqa())
    hub_parquet(folder / "POPE" / "test-00000-of-00001.parquet", pope())
    hub_parquet(folder / "MME" / "test.parquet", mme())
    hub_parquet(folder / "SEED" / "test.parquet", seed(), image={"feature": {"_type": "Image"}, "_type": "List"})
    pq.write_table(pa.Table.from_pylist(mmvet()), folder / "mmvet.parquet")  # without the note of `datasets`
    mmbench_tsv(folder / "mmbench_dev_20230712.tsv")
    lines = []
    for number, row in enumerate(scienceqa()):
        (folder / f"{number}.png").write_bytes(png(number))
        lines.append(json.dumps(row | {"image": f"{number}.png"}) + "\n")
    (folder / "scienceqa.jsonl").write_text("".join(lines), encoding="utf-8")
    return {
        "TextVQA": {"data": f"{folder}/TextVQA/*.parquet"},
        "POPE": {"data": f"{folder}/POPE/*.parquet"},
        "MME": {"data": f"{folder}/MME/test.parquet"},
        "SQA-IMG": {"data": f"{folder}/scienceqa.jsonl", "image_folder": str(folder)},
        "MMBench": {"data": f"{folder}/mmbench_dev_20230712.tsv"},
        "SEED-IMG": {"data": f"{folder}/SEED/test.parquet"},
        "MM-Vet": {"data": f"{folder}/mmvet.parquet"},
    }
