import json
from pathlib import Path
from unittest import mock

import pyarrow.parquet as pq
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from tests.helpers.data_examples import picture, read_split, record, split_job, write_list
from visatb.data.json_records import located_records
from visatb.data.records import RECORD_SCHEMA, write_split
from visatb.errors import VisatbError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "images")
    return tmp_path


def test_a_good_record_is_normalised(folder: Path):
    file = write_list(folder / "train.json", [record(7), record("b", image=None, answer="text alone")])
    table, report = read_split("t", "train", [file], folder / "images")
    assert table.schema == RECORD_SCHEMA
    assert table["id"].to_pylist() == ["7", "b"]
    assert table["image"].to_pylist() == [str(folder / "images" / "a.png"), None]
    assert table["conversations"][0].as_py() == record()["conversations"]
    assert table["truths"].to_pylist() == [["a red circle"], ["text alone"]]
    assert report.as_json() == {
        "task": "t",
        "split": "train",
        "records": 2,
        "of_other_tasks": 0,
        "bad": {},
        "first_offenders": [],
    }


def test_json_lines_json_lists_and_several_files_read_alike(folder: Path):
    records = [record(number) for number in range(5)]
    lines = folder / "train.jsonl"
    lines.write_text("\n".join(map(json.dumps, records[:3])) + "\n\n", encoding="utf-8")
    rest = write_list(folder / "rest.json", records[3:])
    whole = write_list(folder / "whole.json", records)
    parts, _ = read_split("t", "train", [lines, rest], folder / "images")
    assert parts.equals(read_split("t", "train", [whole], folder / "images")[0])


@pytest.mark.parametrize("text", ["[]", " [ ] \n", "[1]", '[{"a": [1, 2]} , "x,]" ,\t3]\n', "\ufeff[1, 2]"])
def test_the_list_reader_agrees_with_json(tmp_path: Path, text: str):
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")
    assert [value for _, _, value in located_records(file)] == json.loads(text.removeprefix("\ufeff"))


@pytest.mark.parametrize("text", ["[1", "[1 2]", "[1,]", "[,1]", "[1] 2", "[", "[1,\n\n]", '[{"a": }]'])
def test_the_list_reader_refuses_what_json_refuses(tmp_path: Path, text: str):
    file = tmp_path / "x.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    with pytest.raises(VisatbError, match=r"x\.json, line \d+: not valid JSON"):
        list(located_records(file))


def test_several_true_answers_are_kept_outside_of_train(folder: Path):
    file = write_list(folder / "val.json", [record(answer=["grey", "gray"])])
    table, _ = read_split("t", "val", [file], folder / "images")
    assert table["truths"].to_pylist() == [["grey", "gray"]]
    assert table["conversations"][0].as_py()[-1]["value"] == "grey"
    with pytest.raises(VisatbError, match="turn 2 is a list, expected text"):
        read_split("t", "train", [file], folder / "images")


def test_an_image_of_many_records_is_opened_once(folder: Path):
    picture(folder / "images", "b.png")
    (folder / "images" / "bad.png").write_bytes(b"no picture")
    names = ["a.png", "b.png", "bad.png"] * 20
    file = write_list(folder / "train.json", [record(n, image=name) for n, name in enumerate(names)])
    with mock.patch.object(Image, "open", wraps=Image.open) as opened:
        table, report = read_split("t", "train", [file], folder / "images", tolerated=0.5)
    assert opened.call_count == 3
    assert len(table) == 40
    assert report.bad == {"unreadable image": 20}
    assert len(report.offenders) == 5


@pytest.mark.parametrize(
    ("tolerated", "bad", "used"), [(0.0, 1, False), (0.25, 1, True), (0.24, 1, False), (1, 4, False)]
)
def test_bad_records_are_left_out_up_to_the_tolerated_share(folder: Path, tolerated: float, bad: int, used: bool):
    records = [record(number, answer=" " if number < bad else "yes") for number in range(4)]
    file = write_list(folder / "train.json", records)
    if used:
        table, report = read_split("t", "train", [file], folder / "images", tolerated)
        assert table["id"].to_pylist() == [str(number) for number in range(bad, 4)]
        assert report.bad == {"empty turn": bad}
    else:
        with pytest.raises(VisatbError, match=f"{bad} of 4 records cannot be used .empty turn: {bad}."):
            read_split("t", "train", [file], folder / "images", tolerated)


def test_a_list_of_numbers_is_no_box_unless_the_metric_says_so(folder: Path):
    file = write_list(folder / "train.json", [record(answer="[1, 2, 3, 4]")])
    table, _ = read_split("t", "train", [file], folder / "images")
    assert len(table) == 1
    with pytest.raises(VisatbError, match="within 0-1"):
        read_split("t", "train", [file], folder / "images", boxes=True)


@pytest.mark.parametrize("box", ["[0, 0, 1, 1]", " [0.1,0.25, .5, 1.0] ", "[1e-05, 0.0, 0.5, 0.5]"])
def test_boxes_of_every_spelling_pass(folder: Path, box: str):
    file = write_list(folder / "val.json", [record(answer=box)])
    assert len(read_split("t", "val", [file], folder / "images", boxes=True)[0]) == 1


def test_more_records_than_a_chunk_stay_in_order(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("visatb.data.records.CHUNK", 3)
    file = write_list(folder / "train.json", [record(number) for number in range(10)])
    table, _ = read_split("t", "train", [file], folder / "images")
    assert table["id"].to_pylist() == [str(number) for number in range(10)]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(values, max_size=6), st.integers(1, 40), st.booleans(), st.sampled_from([None, 1]))
@example([0.5, -1e-7, "x"], 1, True, None)  # a number goes on where the window ends
def test_a_list_reads_alike_through_any_window(
    tmp_path_factory: pytest.TempPathFactory, records: list, window: int, plain: bool, indent: int | None
):
    file = tmp_path_factory.getbasetemp() / "windows.json"
    file.write_text(json.dumps(records, ensure_ascii=plain, indent=indent), encoding="utf-8")
    with mock.patch("visatb.data.json_records.WINDOW", window):
        found = list(located_records(file))
    assert [record for _, _, record in found] == records
    assert [place for place, _, _ in found] == [f"{file}, record {n + 1}" for n in range(len(records))]


@given(st.integers(1, 60), st.integers(0, 6))
def test_a_mistake_is_at_its_line_and_column_through_any_window(
    tmp_path_factory: pytest.TempPathFactory, window: int, before: int
):
    text = "[" + '{"ä": "ö"},\n ' * before + '{"a": ü}, 2]'
    file = tmp_path_factory.getbasetemp() / "mistake.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(json.JSONDecodeError) as expected:
        json.loads(text)
    with mock.patch("visatb.data.json_records.WINDOW", window), pytest.raises(VisatbError) as error:
        list(located_records(file))
    assert f"line {expected.value.lineno}: " in str(error.value)
    assert f"(column {expected.value.colno})" in str(error.value)


@pytest.mark.parametrize("window", [1, 5, 10**6])
def test_bytes_that_are_no_text_are_told_with_their_line(tmp_path: Path, window: int):
    file = tmp_path / "x.json"
    file.write_bytes(b'[\n{"id": "a"},\n{"id": "b\xff"}]')
    with mock.patch("visatb.data.json_records.WINDOW", window), pytest.raises(VisatbError, match="line 3: not UTF-8"):
        list(located_records(file))


def test_a_task_takes_its_records_out_of_a_file_of_several(folder: Path):
    names = ["GQA", "VQAv2", "GQA", "ChartQA", "GQ"]
    file = write_list(folder / "all.json", [record(n, task=name) for n, name in enumerate(names)])
    more = {"task_field": "GQA", "other_fields": ["VQAv2", "ChartQA"]}
    table, report = read_split("gqa", "train", [file], folder / "images", tolerated=0.5, **more)
    assert table["id"].to_pylist() == ["0", "2"]
    assert (report.records, report.of_other_tasks, report.bad) == (3, 2, {"unknown task": 1})
    with pytest.raises(VisatbError, match="'task' says 'GQ'; known are GQA, ChartQA, VQAv2"):
        read_split("gqa", "train", [file], folder / "images", **more)
    alone = write_list(folder / "others.json", [record(1, task="VQAv2"), record(2, task="ChartQA")])
    with pytest.raises(VisatbError, match=r"no record in .*2 are of other tasks; see task_field"):
        read_split("gqa", "train", [alone], folder / "images", **more)


def test_ids_are_numbered_if_wanted(folder: Path):
    file = write_list(folder / "train.json", [record(name) for name in ("a", "a-2", "a", "b", "a")])
    table, report = read_split("t", "train", [file], folder / "images", number_ids=True)
    assert table["id"].to_pylist() == ["a", "a-2", "a-3", "b", "a-4"]
    assert not report.bad


@pytest.mark.parametrize("processes", [1, 2])
def test_a_photo_cut_off_is_found(folder: Path, processes: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("visatb.data.images.MANY", 2)
    photo = Image.effect_noise((400, 300), 60).convert("RGB")
    photo.save(folder / "images" / "whole.jpg")
    data = (folder / "images" / "whole.jpg").read_bytes()
    (folder / "images" / "cut.jpg").write_bytes(data[: int(len(data) * 0.9)])
    names = ["whole.jpg", "cut.jpg", "a.png", "cut.jpg"]
    file = write_list(folder / "train.json", [record(n, image=name) for n, name in enumerate(names)])
    job = split_job("t", "train", folder / "images", tolerated=0.5)
    report = write_split(folder / "out.parquet", job, [file], processes=processes)
    assert report.bad == {"unreadable image": 2}
    assert pq.read_table(folder / "out.parquet")["id"].to_pylist() == ["0", "2"]


def test_a_refused_split_leaves_no_file(folder: Path):
    file = write_list(folder / "train.json", [record(1), record(2, answer="")])
    with pytest.raises(VisatbError, match="1 of 2 records"):
        write_split(folder / "out.parquet", split_job("t", "train", folder / "images"), [file])
    assert sorted(path.name for path in folder.iterdir()) == ["images", "train.json"]
