"""The demo corpus: the same for the same seed, and every answer true of the pixels."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from visatb.data.demo.corpus import draw_corpus
from visatb.data.demo.exchanges import DEMO_TASKS, SPLITS, demo_sample
from visatb.errors import VisatbError

PALETTE = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 230),
    "yellow": (240, 220, 50),
    "purple": (160, 60, 200),
    "orange": (245, 140, 30),
}
# Points (x, y) of a 8x14 seven-segment digit: top, upper right, lower right, bottom, lower left, upper left, middle.
PROBES = ((4, 0), (7, 3), (7, 10), (4, 13), (0, 10), (0, 3), (4, 7))
LIT = {
    "1111110": "0",
    "0110000": "1",
    "1101101": "2",
    "1111001": "3",
    "0110011": "4",
    "1011011": "5",
    "1011111": "6",
    "1110000": "7",
    "1111111": "8",
    "1111011": "9",
}
NUMBERS = range(40)
Thing = tuple[str, str, str, int, int, tuple[int, int, int, int]]
Asked = tuple[np.ndarray, str, str]


def asked(task: str, number: int, split: str = "train") -> Asked:
    """Return pixels [64, 64, 3], the question without its format and the answer."""
    image, record = demo_sample(3, task, split, number)
    question, answer = (turn["value"] for turn in record["conversations"])
    return np.asarray(image).astype(int), question.removeprefix("<image>\n"), answer


def color_masks(pixels: np.ndarray) -> dict[str, np.ndarray]:
    return {name: (pixels == color).all(-1) for name, color in PALETTE.items()}


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int]:
    rows, columns = np.nonzero(mask.any(1))[0], np.nonzero(mask.any(0))[0]
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1


def shape_of(mask: np.ndarray) -> str:
    """Tell a shape by how much of its box it fills and whether its corners are lit."""
    x1, y1, x2, y2 = bounding_box(mask)
    inside = mask[y1:y2, x1:x2]
    corners = (inside[0, 0], inside[0, -1], inside[-1, 0], inside[-1, -1])
    if all(corners):
        return "square"
    if corners == (False, False, True, True):
        return "triangle"
    side, middle = len(inside), len(inside) // 2
    if inside[middle].all() and not inside[middle - 2, : side // 4].any() and inside[0].sum() == inside[1].sum():
        return "cross"
    return "circle" if inside.mean() > 0.66 else "diamond"


def objects(pixels: np.ndarray) -> list[Thing]:
    """Find every object by its pixels alone: a list of (color, shape, size, row, column, box)."""
    found = []
    for color, mask in color_masks(pixels).items():
        for cell in range(16):
            row, column = divmod(cell, 4)
            part = np.zeros_like(mask)
            window = (slice(16 * row, 16 * row + 16), slice(16 * column, 16 * column + 16))
            part[window] = mask[window]
            if part.any():
                x1, y1, x2, y2 = bounding_box(part)
                size = {8: "small", 12: "large"}[x2 - x1]
                assert y2 - y1 == x2 - x1
                found.append((color, shape_of(part), size, row, column, (x1, y1, x2, y2)))
    return sorted(found, key=lambda thing: (thing[3], thing[4]))


def looks(thing: Thing) -> str:
    color, shape, size, *_ = thing
    return f"{size} {color} {shape}"


@pytest.mark.parametrize("number", NUMBERS)
def test_caption_lists_what_is_seen_in_reading_order(number: int) -> None:
    pixels, _, answer = asked("caption", number)
    things = objects(pixels)
    count, _, listing = answer.partition(" objects: ")
    assert count == {2: "two", 3: "three", 4: "four"}[len(things)]
    assert re.findall(r"a (\w+ \w+ \w+)", listing) == [looks(thing) for thing in things]


@pytest.mark.parametrize("number", NUMBERS)
def test_box_encloses_the_described_object_exactly(number: int) -> None:
    pixels, question, answer = asked("bbox", number)
    color, shape, cell = re.match(r"The (\w+) (\w+) in cell (\w\d)\.", question).groups()
    (thing,) = [thing for thing in objects(pixels) if thing[:2] == (color, shape)]
    assert cell == f"{'ABCD'[thing[4]]}{thing[3] + 1}"
    expected = "[" + ", ".join(f"{value / 64:.2f}" for value in thing[5]) + "]"
    assert answer == expected


@pytest.mark.parametrize("number", NUMBERS)
def test_region_describes_the_object_in_the_white_frame(number: int) -> None:
    pixels, _, answer = asked("region", number)
    x1, y1, x2, y2 = bounding_box((pixels == 255).all(-1))
    assert (x2 - x1, y2 - y1) == (16, 16)
    # The frame may cover the outermost pixels of an object that touches it: the box is the frame's.
    inside = {name: mask[y1:y2, x1:x2].sum() for name, mask in color_masks(pixels).items()}
    color = max(inside, key=inside.get)
    cell = f"{'ABCD'[x1 // 16]}{y1 // 16 + 1}"
    assert re.fullmatch(rf"a (small|large) {color} \w+ in cell {cell}", answer)


@pytest.mark.parametrize("number", NUMBERS)
def test_vqa_answer_is_the_look_of_the_object_asked_for(number: int) -> None:
    pixels, question, answer = asked("vqa", number)
    things = objects(pixels)
    if place := re.search(r"in cell ([A-D])([1-4])", question):
        column, row = "ABCD".index(place[1]), int(place[2]) - 1
        wanted = [thing for thing in things if thing[3:5] == (row, column)]
    else:
        name = re.search(r"is the (\w+)", question)[1]
        wanted = [thing for thing in things if name in thing[:2]]
    assert len(wanted) == 1
    assert answer == wanted[0][0 if "What color" in question else 1]


@pytest.mark.parametrize("number", NUMBERS)
def test_gqa_answer_follows_from_the_objects(number: int) -> None:
    pixels, question, answer = asked("gqa", number)
    things = objects(pixels)
    if side := re.match(r"Is any object (above|below|to the left of|to the right of) the (\w+ \w+ \w+)\?", question):
        (subject,) = [thing for thing in things if looks(thing) == side[2]]
        axis, sign = {"above": (3, -1), "below": (3, 1), "to the left of": (4, -1), "to the right of": (4, 1)}[side[1]]
        assert answer == ("yes" if any(sign * (t[axis] - subject[axis]) > 0 for t in things) else "no")
    elif line := re.match(r"How many objects are in (row|column) (\w)\?", question):
        axis, place = (3, int(line[2]) - 1) if line[1] == "row" else (4, "ABCD".index(line[2]))
        assert answer == str(sum(thing[axis] == place for thing in things))
    else:
        size = re.match(r"How many (large |small |)objects are there\?", question)[1].strip()
        assert answer == str(sum(size in ("", thing[2]) for thing in things))


@pytest.mark.parametrize("number", NUMBERS)
def test_chart_answer_agrees_with_the_heights_of_the_bars(number: int) -> None:
    pixels, question, answer = asked("chart", number)
    heights = {color: np.ptp(bounding_box(mask)[1::2]) for color, mask in color_masks(pixels).items() if mask.any()}
    if value := re.search(r"value of the (\w+) bar", question):
        assert int(answer) * 6 == heights[value[1]]
    else:
        extreme = max if "tallest" in question else min
        assert answer == extreme(heights, key=heights.get)


@pytest.mark.parametrize("number", NUMBERS)
def test_ocr_answer_is_what_the_segments_show(number: int) -> None:
    pixels, _, answer = asked("ocr", number)
    lit = (pixels != pixels[63, 63]).any(-1)
    digits = ""
    for cell in range(16):
        top, left = 16 * (cell // 4), 16 * (cell % 4)
        if lit[top : top + 16, left : left + 16].any():
            digits += LIT["".join(str(int(lit[top + 1 + y, left + 4 + x])) for x, y in PROBES)]
    assert digits == answer


def test_samples_depend_on_seed_task_split_and_number_alone() -> None:
    image, record = demo_sample(1, "vqa", "train", 7)
    again, same = demo_sample(1, "vqa", "train", 7)
    assert record == same
    assert image.tobytes() == again.tobytes()
    others = [(2, "vqa", "train", 7), (1, "vqa", "val", 7), (1, "vqa", "test", 7), (1, "vqa", "train", 8)]
    assert all(demo_sample(*other)[0].tobytes() != image.tobytes() for other in others)


def test_splits_share_no_sample() -> None:
    drawn = [
        (image.tobytes(), record["conversations"][0]["value"])
        for split in SPLITS
        for image, record in (demo_sample(0, "caption", split, number) for number in range(100))
    ]
    assert len(set(drawn)) == 300


@pytest.mark.parametrize("processes", [1, 2])
def test_corpus_on_disk(tmp_path: Path, processes: int) -> None:
    draw_corpus(tmp_path, 5, {"train": 4, "val": 2, "test": 1}, processes)
    ids = []
    for task in DEMO_TASKS:
        for split, count in (("train", 4), ("val", 2), ("test", 1)):
            records = json.loads((tmp_path / task / f"{split}.json").read_text(encoding="utf-8"))
            assert len(records) == count
            for number, record in enumerate(records):
                image, expected = demo_sample(5, task, split, number)
                assert record == expected
                with Image.open(tmp_path / task / record["image"]) as written:
                    assert (written.mode, written.size) == ("RGB", (64, 64))
                    assert written.tobytes() == image.tobytes()
                ids.append(record["id"])
    assert len(set(ids)) == len(ids) == 7 * len(DEMO_TASKS)
    assert not list(tmp_path.glob(".*"))


def test_growing_a_split_keeps_its_first_samples_and_leaves_no_old_ones(tmp_path: Path) -> None:
    draw_corpus(tmp_path, 0, {"train": 3, "val": 1, "test": 1}, processes=1)
    before = json.loads((tmp_path / "gqa" / "train.json").read_text(encoding="utf-8"))
    draw_corpus(tmp_path, 0, {"train": 5, "val": 0, "test": 0}, processes=1)
    after = json.loads((tmp_path / "gqa" / "train.json").read_text(encoding="utf-8"))
    assert after[:3] == before
    assert len(list((tmp_path / "gqa" / "images").iterdir())) == len(after) == 5


def test_a_killed_drawing_leaves_no_half_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("visatb.data.demo.corpus.write_json", fail)
    with pytest.raises(KeyboardInterrupt):
        draw_corpus(tmp_path, 0, {"train": 2}, processes=1)
    assert list(tmp_path.iterdir()) == []


def test_unknown_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(VisatbError, match="no task 'poetry'"):
        demo_sample(0, "poetry", "train", 0)
    with pytest.raises(VisatbError, match="'validation'"):
        draw_corpus(tmp_path, 0, {"validation": 3})
