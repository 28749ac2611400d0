"""Published data sets in their own formats, made by hand, and the splits that become of them."""

import base64
import json
import pickle
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from visatb.config.tasks import SourceConfig
from visatb.data.images import Images
from visatb.data.sources.prepare import Origin, prepared, write_sources
from visatb.data.sources.refcoco import box_text, padded_box
from visatb.errors import VisatbError

Record = dict[str, Any]


def picture(color: str, format: str = "JPEG") -> str:
    stream = BytesIO()
    Image.new("RGB", (8, 6), color).save(stream, format)
    return base64.b64encode(stream.getvalue()).decode()


def m3it(color: str = "red", inputs: str = "Is it red?", outputs: str = "yes", format: str = "JPEG") -> Record:
    image = [picture(color, format)]
    return {"instruction": "Answer briefly.", "inputs": inputs, "outputs": outputs, "image_base64_str": image}


def lines(path: Path, records: list[Record]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(map(json.dumps, records)), encoding="utf-8")
    return path


def source(**keys: Any) -> SourceConfig:
    return SourceConfig.model_validate({"files": "{split}", **keys})


def origin(folder: Path, files: dict[str, list[Path]], **more: Any) -> Origin:
    return Origin("t", {split: list(map(str, paths)) for split, paths in files.items()}, folder / "images", **more)


def written(folder: Path, split: str) -> list[Record]:
    return [json.loads(line) for line in (folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_m3it_images_are_written_once_under_the_name_of_their_content(tmp_path: Path, ending: str):
    records = [m3it(), m3it("blue", "Is it red?", "no"), m3it("red", "", "red", "JPEG"), m3it("red", format="PNG")]
    path = tmp_path / f"train.{ending}"
    if ending == "parquet":
        pq.write_table(pa.Table.from_pylist(records), path)
    else:
        records[1]["image_base64_str"] = records[1]["image_base64_str"][0]  # plain text is found too
        lines(path, records)
    write_sources(source(format="m3it"), origin(tmp_path, {"train": [path]}), tmp_path / "out")
    out = written(tmp_path / "out", "train")
    assert [r["conversations"][0]["value"] for r in out[1:3]] == [
        "<image>\nAnswer briefly.\nIs it red?",
        "<image>\nAnswer briefly.",
    ]
    assert [r["conversations"][1]["value"] for r in out] == ["yes", "no", "red", "yes"]
    assert len({r["id"] for r in out}) == 4
    images = [r["image"] for r in out]
    assert images[0] == images[2] != images[1]
    assert [Path(name).suffix for name in images] == [".jpeg", ".jpeg", ".jpeg", ".png"]
    stored = {str(p.relative_to(tmp_path / "images")): p for p in (tmp_path / "images").rglob("*") if p.is_file()}
    assert set(stored) == set(images)
    first = records[0]["image_base64_str"][0]
    assert stored[images[0]].read_bytes() == base64.b64decode(first)
    before = {name: path.stat().st_mtime_ns for name, path in stored.items()}
    write_sources(source(format="m3it"), origin(tmp_path, {"train": [path]}), tmp_path / "out")
    assert {name: path.stat().st_mtime_ns for name, path in stored.items()} == before


BROKEN: dict[str, tuple[Record, str]] = {
    "no base64": (m3it() | {"image_base64_str": ["%%%"]}, "is no base64"),
    "no image": (m3it() | {"image_base64_str": [base64.b64encode(b"text").decode()]}, "holds no image"),
    "two images": (m3it() | {"image_base64_str": [picture("red")] * 2}, "holds 2 images, expected one"),
    "image missing": ({k: v for k, v in m3it().items() if k != "image_base64_str"}, "is missing"),
    "empty answer": (m3it(outputs="  "), "'outputs' is empty"),
    "half a character": (m3it(outputs="smile \ud83d"), "holds half a character"),
    "a list for an answer": (m3it() | {"outputs": ["a"]}, "'outputs' is a list"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_bad_record_of_m3it_is_told_with_its_place(tmp_path: Path, name: str):
    bad, words = BROKEN[name]
    files = {"train": [lines(tmp_path / "train.jsonl", [m3it(), bad])]}
    with pytest.raises(VisatbError, match=r"1 of 2 records cannot be used") as error:
        prepared(source(format="m3it"), origin(tmp_path, files))
    assert words in str(error.value)
    assert f"{tmp_path / 'train.jsonl'}, line 2" in str(error.value)
    splits, account = prepared(source(format="m3it"), origin(tmp_path, files), tolerated=0.5)
    assert len(splits["train"]) == 1
    assert sum(account.reports["train"].bad.values()) == 1


def test_a_parquet_file_of_something_else_is_refused(tmp_path: Path):
    pq.write_table(pa.table({"outputs": ["a"]}), tmp_path / "x.parquet")
    with pytest.raises(VisatbError, match="has no column image_base64_str, inputs, instruction"):
        prepared(source(format="m3it"), origin(tmp_path, {"train": [tmp_path / "x.parquet"]}))


def test_without_a_test_set_val_is_halved_and_captions_are_references(tmp_path: Path):
    colors = ["red", "blue", "green", "black", "white"]
    captions = [m3it(color, "", f"{color} {n}") for n in range(3) for color in colors]
    files = {"train": [lines(tmp_path / "a.jsonl", captions)], "val": [lines(tmp_path / "b.jsonl", captions)]}
    wanted = source(format="m3it", merge_references=True, halve_val=True)
    splits, _ = prepared(wanted, origin(tmp_path, files))
    assert {split: len(found) for split, found in splits.items()} == {"train": 15, "val": 2, "test": 3}
    images = {split: {c.image for c in splits[split]} for split in ("val", "test")}
    assert not images["val"] & images["test"]
    assert len(images["val"] | images["test"]) == 5
    for one in splits["val"] + splits["test"]:
        color = one.exchanges[0][1].split()[0]
        assert one.truths == (f"{color} 0", f"{color} 1", f"{color} 2")


# w x h of the image, box in pixels as x, y, w, h, and the same in the padded square, by hand
BOXES = [
    ((100, 100), (10, 20, 30, 40), (0.1, 0.2, 0.4, 0.6)),
    ((200, 100), (0, 0, 200, 100), (0.0, 0.25, 1.0, 0.75)),  # 50 rows are added above and below
    ((100, 200), (50, 100, 50, 100), (0.5, 0.5, 0.75, 1.0)),
    ((640, 480), (320, 240, 64, 48), (0.5, 0.5, 0.6, 0.575)),
    ((5, 2), (0, 0, 5, 2), (0.0, 0.2, 1.0, 0.6)),  # an odd row more below
    ((100, 100), (90, 90, 20, 20), (0.9, 0.9, 1.0, 1.0)),  # beyond the edge
]


@pytest.mark.parametrize(("size", "box", "expected"), BOXES)
def test_boxes_in_the_padded_square_by_hand(size: tuple[int, int], box: tuple, expected: tuple):
    assert padded_box(box, *size) == pytest.approx(expected)


@pytest.mark.parametrize(("size", "box", "expected"), BOXES[:5])
def test_boxes_lie_where_the_padded_picture_has_them(size: tuple[int, int], box: tuple, expected: tuple):
    """The box is painted, the picture is padded as LLaVA pads it, and the paint is looked for."""
    image = Image.new("L", size)
    x, y, w, h = box
    image.paste(255, (x, y, x + w, y + h))
    side = max(size)
    square = Image.new("L", (side, side))
    square.paste(image, ((side - size[0]) // 2, (side - size[1]) // 2))
    found = square.getbbox()
    assert found is not None
    assert [edge / side for edge in found] == pytest.approx(padded_box(box, *size))


def test_a_box_is_written_with_two_decimals():
    assert box_text((0.125, 0.3, 0.456, 1.0), 2) == "[0.12, 0.30, 0.46, 1.00]"


def refer_folder(folder: Path, ending: str = "p") -> Path:
    """A REFER folder: two images, three references, as pickle protocol 2 like the original."""
    folder.mkdir()
    images = [{"id": 1, "width": 200, "height": 100, "file_name": "COCO_train2014_000000000001.jpg"}]
    images += [{"id": 2, "width": 100, "height": 100, "file_name": "COCO_train2014_000000000002.jpg"}]
    boxes = [{"id": n, "image_id": i, "bbox": [10.0, 20.0, 30.0, 40.0]} for n, i in [(11, 1), (12, 2), (13, 2)]]
    (folder / "instances.json").write_text(json.dumps({"images": images, "annotations": boxes}))
    wanted = [(1, 11, 1, "train", 12), (2, 12, 2, "testB", 2), (3, 13, 2, "val", 1)]
    references = [
        {
            "ref_id": n,
            "ann_id": annotation,
            "image_id": image,
            "split": split,
            "file_name": f"COCO_train2014_00000000000{image}_{annotation}.jpg",
            "sentences": [{"sent": f"thing {n} {k}", "raw": "", "sent_id": k, "tokens": []} for k in range(sentences)],
        }
        for n, annotation, image, split, sentences in wanted
    ]
    path = folder / f"refs(unc).{ending}"
    path.write_bytes(pickle.dumps(references, 2) if ending == "p" else json.dumps(references).encode())
    return path


@pytest.mark.parametrize("ending", ["p", "json"])
def test_refcoco_as_boxes_and_as_captions(tmp_path: Path, ending: str):
    refs = refer_folder(tmp_path / "refcoco", ending)
    files = {split: [refs] for split in ("train", "val", "test")}
    keys = {"format": "refcoco", "image_prefix": "coco/", "merge_images": True, "max_exchanges": 9}
    splits, _ = prepared(source(**keys, ask="box", instruction="Where?"), origin(tmp_path, files))
    assert [len(c.exchanges) for c in splits["train"]] == [9, 3], "fewer than 10 a segment"
    assert splits["train"][0].image == "coco/COCO_train2014_000000000001.jpg"
    assert splits["train"][0].exchanges[0] == ("thing 1 0\nWhere?", "[0.05, 0.35, 0.20, 0.55]")
    assert [c.exchanges for c in splits["test"]] == [
        (("thing 2 0\nWhere?", "[0.10, 0.20, 0.40, 0.60]"),),
        (("thing 2 1\nWhere?", "[0.10, 0.20, 0.40, 0.60]"),),
    ]
    splits, _ = prepared(source(**keys, ask="caption", instruction="What?"), origin(tmp_path, files))
    assert splits["train"][1].exchanges[0] == ("[0.05, 0.35, 0.20, 0.55]\nWhat?", "thing 1 9")
    assert [(c.exchanges[0][0], c.truths) for c in splits["test"]] == [
        ("[0.10, 0.20, 0.40, 0.60]\nWhat?", ("thing 2 0", "thing 2 1"))
    ]


class _Harm:
    def __reduce__(self) -> Any:
        return (Path.touch, (Path("harm"),))


def test_a_pickle_that_calls_code_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    refs = refer_folder(tmp_path / "refcoco")
    refs.write_bytes(pickle.dumps([_Harm()]))
    with pytest.raises(VisatbError, match="wants to call"):
        prepared(source(format="refcoco", ask="box"), origin(tmp_path, {"train": [refs]}))
    assert not Path("harm").exists()


def test_references_without_their_boxes_are_told(tmp_path: Path):
    refs = refer_folder(tmp_path / "refcoco")
    found = json.loads((refs.parent / "instances.json").read_text())
    (refs.parent / "instances.json").write_text(json.dumps(found | {"annotations": found["annotations"][1:]}))
    with pytest.raises(VisatbError, match=r"1 of 1 records .*box: 1") as error:
        prepared(source(format="refcoco", ask="box"), origin(tmp_path, {"train": [refs]}))
    assert "reference 1: the reference 1 has no box" in str(error.value)
    (refs.parent / "instances.json").write_text("{}")
    with pytest.raises(VisatbError, match=r"instances\.json: expected images and annotations"):
        prepared(source(format="refcoco", ask="box"), origin(tmp_path, {"train": [refs]}))
    refs.write_bytes(b"no pickle")
    with pytest.raises(VisatbError, match="cannot be read as a list of references"):
        prepared(source(format="refcoco", ask="box"), origin(tmp_path, {"train": [refs]}))


def test_an_unknown_part_of_refcoco_is_told(tmp_path: Path):
    refs = refer_folder(tmp_path / "refcoco")
    wanted = source(format="refcoco", ask="box", parts={"train": "trein"})
    with pytest.raises(VisatbError, match="has no part 'trein'; it has testB, train, val"):
        prepared(wanted, origin(tmp_path, {"train": [refs]}))


def said(*texts: str, first: str = "human") -> list[Record]:
    speakers = ["human", "gpt"] if first == "human" else ["gpt", "human"]
    return [{"from": speakers[n % 2], "value": text} for n, text in enumerate(texts)]


CHATS: dict[str, tuple[list[Record], list[str] | None]] = {
    "plain": (said("hello", "hi", "bye", "so long"), ["hello", "hi", "bye", "so long"]),
    "begins with an answer": (said("welcome", "hello", "hi", first="gpt"), ["hello", "hi"]),
    "ends with a question": (said("hello", "hi", "and?"), ["hello", "hi"]),
    "other names": ([{"from": "user", "value": "a"}, {"from": "chatgpt", "value": "b"}], ["a", "b"]),
    "page number": (said("hello", "2 / 2hi"), ["hello", "hi"]),
    "copied": (said("hello", "hiCopy12 chars / 3 words"), ["hello", "hi"]),
    "blocked": (said("hello", "I am ChatGPT"), None),
    "html": (said("hello", '<div class="x">hi</div>'), None),
    "one turn": (said("hello"), None),
    "two questions": ([*said("a"), *said("b", "c")], None),
    "empty answer": (said("hello", "  "), None),
    "system": ([{"from": "system", "value": "be good"}, *said("hello", "hi")], ["hello", "hi"]),
    "system within": ([*said("a", "b"), {"from": "system", "value": "x"}, *said("c", "d")], None),
    "less than": (said("is a <b and c> d?", "yes <p"), ["is a <b and c> d?", "yes <p"]),
}


def test_sharegpt_is_cleaned_and_what_is_left_out_is_counted(tmp_path: Path):
    records = [{"id": name, "conversations": turns} for name, (turns, _) in CHATS.items()]
    path = tmp_path / "sharegpt.json"
    path.write_text(json.dumps(records))
    wanted = source(format="sharegpt", blocked_words=["openai", "chatgpt"])
    splits, account = prepared(wanted, origin(tmp_path, {"train": [path]}))
    found = {c.id: [text for pair in c.exchanges for text in pair] for c in splits["train"]}
    assert found == {name: texts for name, (_, texts) in CHATS.items() if texts}
    assert account.filtered["train"] == {
        "says chatgpt": 1,
        "is HTML": 1,
        "no question with an answer": 1,
        "turns": 2,
        "empty turn": 1,
    }
    assert account.reports["train"].records == len(CHATS) == len(found) + account.filtered["train"].total()


def vqa(number: int, image: str) -> Record:
    turns = [{"from": "human", "value": f"<image>\nQ{number}?"}, {"from": "gpt", "value": f"a{number}"}]
    return {"id": number, "image": image, "task": "OCRVQA", "conversations": turns}


def test_a_whole_recipe_of_plain_records(tmp_path: Path):
    files = {
        split: [lines(tmp_path / f"{split}.jsonl", [vqa(n, f"{n % 5}.jpg") for n in range(20)])]
        for split in ("train", "val", "test")
    }
    wanted = source(merge_images=True, samples={"train": 3, "val": 7}, instruction="Be brief.", instruct="first")
    write_sources(wanted, origin(tmp_path, files), tmp_path / "out")
    train = written(tmp_path / "out", "train")
    assert len(train) == 3
    assert len({record["image"] for record in train}) == 3
    for record in train:
        numbers = range(int(record["image"][0]), 20, 5)
        texts = [turn["value"] for turn in record["conversations"]]
        expected = [text for n in numbers for text in (f"Q{n}?", f"a{n}")]
        assert texts == [f"<image>\n{expected[0]}\nBe brief.", *expected[1:]]
    assert len(written(tmp_path / "out", "val")) == 7
    assert len(written(tmp_path / "out", "test")) == 20
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert [step for step in report["steps"] if step["split"] == "train"] == [
        {"step": "read", "split": "train", "conversations": 20, "exchanges": 20},
        {"step": "merge images", "split": "train", "conversations": 5, "exchanges": 20},
        {"step": "draw", "split": "train", "conversations": 3, "exchanges": 12},
        {"step": "instruct", "split": "train", "conversations": 3, "exchanges": 12},
    ]


def test_records_are_held_out_at_random_and_once(tmp_path: Path):
    path = lines(tmp_path / "train.jsonl", [vqa(n, f"{n}.jpg") for n in range(50)])
    splits, _ = prepared(source(hold_out={"val": 7, "test": 9}), origin(tmp_path, {"train": [path]}))
    assert {split: len(found) for split, found in splits.items()} == {"train": 34, "val": 7, "test": 9}
    assert len({c.id for found in splits.values() for c in found}) == 50
    other, _ = prepared(source(hold_out={"val": 7, "test": 9}, seed=1), origin(tmp_path, {"train": [path]}))
    assert other["val"] != splits["val"]


def test_a_task_takes_its_records_out_of_a_file_of_several(tmp_path: Path):
    records = [vqa(n, "1.jpg") | {"task": task} for n, task in enumerate(["A", "B", "A", "C"])]
    path = lines(tmp_path / "all.jsonl", records)
    known = origin(tmp_path, {"train": [path]}, task_field="A", other_fields=["B", "C"])
    splits, account = prepared(source(), known)
    assert [c.id for c in splits["train"]] == ["0", "2"]
    assert account.reports["train"].of_other_tasks == 2
    with pytest.raises(VisatbError, match="'task' says 'C', expected 'A'"):
        prepared(source(), origin(tmp_path, {"train": [path]}, task_field="A", other_fields=["B"]))


def test_images_of_m3it_pass_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("visatb.data.images.MANY", 2)
    path = lines(tmp_path / "train.jsonl", [m3it("red", format="PNG"), m3it("blue")])
    splits, _ = prepared(source(format="m3it"), origin(tmp_path, {"train": [path]}))
    with Images(tmp_path / "images", processes=2) as images:
        images.look_at([c.image for c in splits["train"]])
        for one in splits["train"]:
            assert Path(images.path(one.image)).is_file()
