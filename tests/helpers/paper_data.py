"""Small data in exactly the layouts that the paper's experiments expect."""

import base64
import json
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from visatb.config.loading import read_yaml, resolve_extends

RELEASED = {"ShareGPT4V": "ShareGPT4V", "Ref-caption": "RefCOCO-caption", "Ref-bbox": "RefCOCO-bbox"}
SIZES = {"train": 64, "val": 6, "test": 5}
Record = dict[str, Any]


def picture(path: Path, number: int = 0) -> bytes:
    """Write a picture, and return what is in its file."""
    stream = BytesIO()
    Image.new("RGB", (20 + number % 7, 16), (number * 5 % 256, 90, number % 256)).save(stream, "JPEG")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())
    return stream.getvalue()


def record(number: int, image: str | None, question: str, answer: Any, **more: Any) -> Record:
    """Return a LLaVA-format record."""
    asked = f"<image>\n{question}" if image else question
    turns = [{"from": "human", "value": asked}, {"from": "gpt", "value": answer}]
    return {"id": str(number), "conversations": turns} | ({"image": image} if image else {}) | more


def write(path: Path, value: Any) -> None:
    """Write JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def answers(task: str, split: str, number: int) -> Any:
    """Return an answer of the kind that the task's metric wants."""
    if task == "Ref-bbox":
        return f"[0.10, 0.20, 0.{30 + number % 60}, 0.90]"
    if task == "Ref-caption" and split != "train":
        return [f"thing {number}", f"the thing {number}"]
    return f"thing {number}" if task in ("ShareGPT4V", "Ref-caption", "ShareGPT") else word(number)


def word(number: int) -> str:
    """Return the answer to a question, mostly the same one, so that a tiny model has something to learn."""
    return "no" if number % 4 == 0 else "yes"


def academic_release(folder: Path, with_minis: bool = True) -> None:
    """The authors' annotation release: {name}_{split}-{size}.json, and one mini file of all tasks."""
    minis = []
    tasks = ["ShareGPT4V", "Ref-caption", "VQAv2", "GQA", "ChartQA", "OCRVQA", "Ref-bbox", "ShareGPT"]
    for place, task in enumerate(tasks):
        name = RELEASED.get(task, task)
        for split, size in SIZES.items() if task != "ShareGPT" else [("train", SIZES["train"])]:
            records = []
            for n in range(size):
                image = None if task == "ShareGPT" else f"coco/train2017/{place}-{n % 20}.jpg"
                if image:
                    picture(folder / "images" / image, 20 * place + n % 20)
                one = record(n % 20, image, f"{task} {split} {n}?", answers(task, split, n), task=name)
                records.append(one)
            write(folder / f"{name}_{split}-{size}.json", records)
            minis += records[3:5] if split == "train" else []
    if with_minis:
        write(folder / f"academic-mini_train-{len(minis)}.json", minis)


def academic_sources(folder: Path) -> None:
    """The public data sets behind the Academic benchmark."""
    for number in range(20):
        picture(folder / "images" / "any" / f"{number}.jpg", number)
        picture(folder / "images" / "coco" / "train2014" / f"COCO_train2014_{number:012d}.jpg", number)
    name = "sharegpt4v_instruct_gpt4-vision_cap100k.json"
    captions = [record(n, f"any/{n % 20}.jpg", "What is in it?", f"caption {n}") for n in range(90)]
    write(folder / "sharegpt4v" / name, captions)
    for task in ("vqav2", "gqa", "chartqa", "ocrvqa"):
        for split, size in SIZES.items():
            questions = [record(n, f"any/{n % 20}.jpg", f"{task} {n}?", f"a{n}") for n in range(size)]
            write(folder / task / f"{split}.json", questions)
    refer(folder / "refcoco" / "refs(unc).p", {"train": 30, "val": 4, "testA": 3, "testB": 5})
    refer(folder / "refcocog" / "refs(umd).p", {"train": 10, "val": 2, "test": 2})
    chats = [{"id": f"c{n}_0", "conversations": chat(n)} for n in range(40)]
    write(folder / "sharegpt" / "ShareGPT_V3_unfiltered_cleaned_split_no_imsorry.json", chats)


def chat(number: int) -> list[Record]:
    """Return turns; every fifth conversation begins with an answer, every seventh names a company."""
    texts = [f"question {number}", "an answer of some words", "and then?", "nothing more"]
    turns = [{"from": ("human", "gpt")[n % 2], "value": text} for n, text in enumerate(texts)]
    if number % 7 == 0:
        turns[1]["value"] = "I was made by OpenAI."
    return [{"from": "gpt", "value": "welcome"}, *turns] if number % 5 == 0 else turns


def refer(path: Path, parts: dict[str, int]) -> None:
    """Write a REFER folder: references as a pickle of protocol 2, with instances.json beside it."""
    references: list[Record] = []
    for part, size in parts.items():
        for _ in range(size):
            number = len(references)
            sentences = [{"sent_id": k, "sent": f"thing {number} {k}", "raw": "", "tokens": []} for k in range(3)]
            references.append(
                {"ref_id": number, "ann_id": 100 + number, "image_id": number % 20, "split": part}
                | {"category_id": 1, "file_name": "unused", "sentences": sentences}
            )
    names = [(n, f"COCO_train2014_{n:012d}.jpg") for n in range(20)]
    images = [{"id": n, "file_name": name, "width": 20 + n % 7, "height": 16} for n, name in names]
    boxes = [{"id": 100 + n, "image_id": n % 20, "bbox": [1.5, 2, 10, 8]} for n in range(len(references))]
    write(path.with_name("instances.json"), {"images": images, "annotations": boxes})
    path.write_bytes(pickle.dumps(references, 2))


def m3it(folder: Path, config: str) -> None:
    """M3IT as Parquet, every file that the experiment's config names, the train split of COCO in two shards."""
    data = read_yaml(config)
    stored = folder / "unused.jpg"
    for place, (task, settings) in enumerate(data["tasks"].items()):
        files = settings["source"]["files"]
        splits = {s: files.replace("{split}", s) for s in SIZES} if isinstance(files, str) else files
        for split, pattern in splits.items():
            rows = []
            for n in range(SIZES[split]):
                image = base64.b64encode(picture(stored, 31 * place + n % 9)).decode()
                row = {"instruction": "Do it.", "inputs": f"{task} {n}?", "outputs": word(n)}
                rows.append(row | {"image_base64_str": [image]})
            shards = 2 if task == "COCO" and split == "train" else 1
            for shard in range(shards):
                path = folder / pattern.replace("*", f"-{shard:05d}-of-{shards:05d}")
                path.parent.mkdir(parents=True, exist_ok=True)
                pq.write_table(pa.Table.from_pylist(rows[shard::shards]), path)
    stored.unlink()


def llava_files(folder: Path, config: str) -> None:
    """Plain LLaVA files under the names that the experiment's config gives them."""
    for place, (task, settings) in enumerate(resolve_extends(read_yaml(config))["tasks"].items()):
        for split, name in settings["data"].items():
            records = []
            for n in range(SIZES[split]):
                image = f"coco/{place}-{n % 9}.jpg"
                picture(folder / "images" / image, n)
                records.append(record(n, image, f"{task} {n}?", f"answer {n}"))
            write(folder / name, records)
        if context := settings.get("judge_context"):
            lines = [
                json.dumps({"image": f"coco/{k}-{n}.jpg", "caption": "a picture"}) for k in range(3) for n in range(9)
            ]
            (folder / context).write_text("\n".join(lines), encoding="utf-8")
