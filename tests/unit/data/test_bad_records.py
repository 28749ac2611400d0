"""Mistakes in annotation files and pictures, and what the one message must say: where, what, what to do."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.data_examples import Record, picture, read_split, record, write_list
from visatb.errors import VisatbError
from visatb.training.loss.weighting import weights_of

GOOD = record("good")
TURNS = GOOD["conversations"]


def turns(*changes: Any) -> Record:
    return record() | {"conversations": list(changes)}


def without(key: str) -> Record:
    return {name: value for name, value in record().items() if name != key}


# name: (a bad record, whether its task wants boxes, what the message says)
RECORDS: dict[str, tuple[Any, list[str], list[str]]] = {
    "text": ("a record", False, ["no record", "found text"]),
    "list": ([record()], False, ["no record", "found a list"]),
    "no id": (without("id"), False, ["no id", "'id' is missing"]),
    "empty id": (record(""), False, ["no id", "expected text or a whole number"]),
    "list id": (record(["a"]), False, ["no id", "'id' is a list"]),
    "true id": (record(True), False, ["no id", "'id' is true or false"]),
    "duplicate id": (record("good"), False, ["duplicate id", "'good'", "make ids unique"]),
    "no conversations": (without("conversations"), False, ["no list of 'conversations'"]),
    "empty conversations": (turns(), False, ["no list of 'conversations'"]),
    "text for conversations": (record() | {"conversations": "hello"}, False, ["no list of 'conversations'"]),
    "turns out of order": (turns(TURNS[1], TURNS[0]), False, ["turn 1 is from 'gpt', expected 'human'"]),
    "two answers": (turns(*TURNS, TURNS[1]), False, ["turn 3 is from 'gpt', expected 'human'"]),
    "ends with human": (turns(*TURNS, TURNS[0]), False, ["ends with a human turn", "answer from 'gpt'"]),
    "unknown speaker": (turns({"from": "user", "value": "x"}), False, ["turn 1 is from 'user', expected 'human'"]),
    "a turn of text": (turns("hello"), False, ["turn 1 is from text, expected 'human'"]),
    "no value": (turns(TURNS[0], {"from": "gpt"}), False, ["'value' of turn 2 is missing, expected text"]),
    "number answer": (record(answer=7), False, ["'value' of turn 2 is the number 7, expected text"]),
    "list answer in train": (record(answer=["a", "b"]), False, ["'value' of turn 2 is a list, expected text"]),
    "empty answer": (record(answer=" \n"), False, ["turn 2 (from gpt) is empty"]),
    "half a character": (record(answer="smile \ud83d"), False, ["broken character", "smile"]),
    "missing image": (record(image="b.png"), False, ["missing image", "b.png is not there"]),
    "folder for an image": (record(image="inner"), False, ["missing image", "inner is not there"]),
    "unreadable image": (record(image="text.png"), False, ["unreadable image", "text.png cannot be read"]),
    "half an image": (record(image="half.png"), False, ["unreadable image", "half.png"]),
    "empty image": (record(image="empty.png"), False, ["unreadable image", "empty.png"]),
    "image above the folder": (record(image="../outside.png"), False, ["image outside", "../outside.png", "images"]),
    "link out of the folder": (record(image="link.png"), False, ["image outside", "link.png"]),
    "two images": (record(image=["a.png", "b.png"]), False, ["'image' is a list", "one image"]),
    "strange image name": (record(image="a\0.png"), False, ["cannot be read"]),
    "<image> without image": (without("image"), False, ["says <image> but names no image"]),
    "other task": (record(task="gqa"), False, ["other task", "'gqa', expected 'vqa'"]),
    "box in pixels": (record(answer="[10, 20, 30, 40]"), True, ["box", "[10, 20, 30, 40]", "within 0-1"]),
    "box beyond the edge": (record(answer="[0.1, 0.2, 0.3, 1.01]"), True, ["box", "within 0-1"]),
    "negative box": (record(answer="[-0.1, 0.2, 0.3, 1.0]"), True, ["box", "within 0-1"]),
    "box the wrong way": (record(answer="[0.5, 0.2, 0.3, 0.4]"), True, ["box", "[x1, y1, x2, y2]"]),
    "box of three": (record(answer="[0.5, 0.2, 0.3]"), True, ["box", "is no box"]),
    "word for a box": (record(answer="left"), True, ["box", "'left' is no box"]),
}


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    picture(folder)
    picture(tmp_path, "outside.png")
    (folder / "inner").mkdir()
    (folder / "text.png").write_text("not a picture")
    (folder / "empty.png").touch()
    (folder / "half.png").write_bytes((folder / "a.png").read_bytes()[:45])
    (folder / "link.png").symlink_to(tmp_path / "outside.png")
    return folder


def refusal(files: list[Path], images: Path, boxes: bool) -> str:
    with pytest.raises(VisatbError) as error:
        read_split("vqa", "train", files, images, boxes=boxes)
    return str(error.value)


@pytest.mark.parametrize("ending", ["json", "jsonl"])
@pytest.mark.parametrize("name", RECORDS)
def test_a_bad_record_is_told_with_its_place(images: Path, name: str, ending: str):
    bad, boxes, fragments = RECORDS[name]
    good = GOOD if not boxes else record("good", answer="[0, 0, 1, 1]")
    file = write_list(images.parent / f"train.{ending}", [good, bad])
    if ending == "jsonl":
        file.write_text("\n".join(map(json.dumps, [good, bad])))
    message = refusal([file], images, boxes)
    place = "record 2" if ending == "json" else "line 2"
    expected = ["task 'vqa', split train", "1 of 2 records", f"{file}, {place}: ", "on_bad_records", *fragments]
    assert [fragment for fragment in expected if fragment not in message] == [], message
    assert message.count("\n") == 1


def test_an_absolute_image_path_out_of_the_folder_is_refused(images: Path):
    file = write_list(images.parent / "train.json", [record(image=str(images.parent / "outside.png"))])
    assert "image outside" in refusal([file], images, False)


def test_a_missing_image_folder_is_told(images: Path):
    file = write_list(images.parent / "train.json", [record()])
    message = refusal([file], images.parent / "picturs", False)
    assert "there is no folder" in message
    assert "image_folder" in message


def test_the_same_id_in_two_files_is_refused(images: Path):
    files = [write_list(images.parent / name, [record()]) for name in ("a.json", "b.json")]
    message = refusal(files, images, False)
    assert "b.json, record 1: the id 'a1' is there before" in message


def test_mistakes_of_many_kinds_come_at_once_with_five_examples_each(images: Path):
    bad = [record(n, answer="") for n in range(8)] + [record(n, image="no.png") for n in range(8, 10)]
    message = refusal([write_list(images.parent / "train.json", bad)], images, False)
    assert "10 of 10 records cannot be used (empty turn: 8, missing image: 2)" in message
    assert message.count("\n") == 5 + 2


Content = str | bytes | None
FILES: dict[str, tuple[str, Content, list[str]]] = {
    "missing": ("trian.json", None, ["trian.json: no such file", "did you mean 'train.json'?"]),
    "empty": ("x.json", "", ["x.json: is empty"]),
    "blank": ("x.json", " \n", ["x.json: is empty"]),
    "empty lines": ("x.jsonl", "", ["no record in", "x.jsonl"]),
    "empty list": ("x.json", "[]", ["no record in", "x.json"]),
    "broken": ("x.json", '[\n{"id": 1},\n{"id": }\n]', ["x.json, line 3: not valid JSON"]),
    "comma missing": ("x.json", '[\n{"id": 1}\n{"id": 2}]', ["x.json, line 3: not valid JSON", "','"]),
    "not closed": ("x.json", '[{"id": "good"}', ["not valid JSON", "']'"]),
    "two lists": ("x.json", "[]\n[]", ["line 2", "after the end of the list"]),
    "object": ("x.json", '{"data": []}', ["expected a JSON list", "found one JSON object", ".jsonl"]),
    "text": ("x.json", "id,image\n1,2\n", ["expected a JSON list", "found 'id,image"]),
    "broken line": ("x.jsonl", json.dumps(GOOD) + '\n{"id": 1,}\n', ["x.jsonl, line 2: not valid JSON", "column"]),
    "list in lines": ("x.jsonl", '[\n{"id": 1}]', ["x.jsonl, line 1", "found a list", ".json"]),
    "latin-1": ("x.json", '[\n"caf\xe9"]'.encode("latin-1"), ["x.json, line 2: not UTF-8", "save the file as UTF-8"]),
    "latin-1 line": ("x.jsonl", b'{"id": 1}\n"\xe9"', ["x.jsonl, line 2: not UTF-8"]),
    "utf-16": ("x.json", "[]".encode("utf-16"), ["x.json, line 1: not UTF-8"]),
    "folder": ("images", None, ["images: no such file"]),
}


@pytest.mark.parametrize("name", FILES)
def test_a_bad_file_is_told_with_its_place(images: Path, name: str):
    file_name, content, fragments = FILES[name]
    write_list(images.parent / "train.json", [GOOD])
    file = images.parent / file_name
    if content is not None:
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    message = refusal([file], images, False)
    expected = ["task 'vqa', split train", *fragments]
    assert [fragment for fragment in expected if fragment not in message] == [], message


def test_a_file_of_windows_reads_as_any_other(images: Path):
    file = images.parent / "x.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + json.dumps(GOOD).encode() + b"\r\n")
    assert len(read_split("vqa", "train", [file], images)[0]) == 1


def test_weights_without_a_task_are_refused():
    with pytest.raises(VisatbError) as error:
        weights_of(["vqa", "gqa", "ocr"], {"gqa": 1.0}, "weights.tsv")
    assert [part in str(error.value) for part in ("weights.tsv", "'vqa'", "'ocr'", "'gqa'")] == [
        True,
        True,
        True,
        False,
    ]
