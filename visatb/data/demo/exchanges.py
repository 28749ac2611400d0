"""The demo's seven tasks: questions about the pictures of `visatb.data.demo.scenes`, as LLaVA records.

Every sample is a function of (seed, task, split, number) alone: it stays the same when a split grows, and
no two splits share a stream of random numbers.
"""

import random
from collections.abc import Callable
from typing import Any

from PIL import Image

from visatb.data.demo.scenes import SIDE, Picture, Thing, bar_value, draw, random_chart, random_number, random_scene
from visatb.errors import VisatbError

SPLITS = ("train", "val", "test")
SHORT_ANSWER = "Answer the question using a single word or phrase."
CAPTION = "Provide a one-sentence caption for the provided image."
REGION = "Provide a short description for this region."
BOX = "Provide the bounding box coordinate of the region this sentence describes."
COUNT_WORDS = {2: "two", 3: "three", 4: "four"}


def look(thing: Thing) -> str:
    """Return what an object looks like, as ``large red circle``."""
    return f"{thing.size} {thing.color} {thing.kind}"


def place(thing: Thing) -> str:
    """Return the cell of an object as in a spreadsheet: ``B3`` is the second column of the third row."""
    return f"{'ABCD'[thing.column]}{thing.row + 1}"


def box_text(thing: Thing) -> str:
    """Return the box as ``[x1, y1, x2, y2]``: fractions of the picture's side with two decimals."""
    return "[" + ", ".join(f"{value / SIDE:.2f}" for value in thing.box) + "]"


def join(phrases: list[str]) -> str:
    """Return the phrases as ``a, b and c``."""
    return " and ".join(filter(None, [", ".join(phrases[:-1]), phrases[-1]]))


def _caption(rng: random.Random) -> tuple[Picture, str, str]:
    scene = random_scene(rng)
    listing = join([f"a {look(thing)}" for thing in scene.things])
    return scene, CAPTION, f"{COUNT_WORDS[len(scene.things)]} objects: {listing}"


def _vqa(rng: random.Random) -> tuple[Picture, str, str]:
    scene = random_scene(rng)
    thing = rng.choice(scene.things)
    if [other.color for other in scene.things].count(thing.color) > 1 or rng.random() < 0.3:
        return scene, f"What color is the object in cell {place(thing)}?", thing.color
    return scene, f"What shape is the {thing.color} object?", thing.kind


def _gqa(rng: random.Random) -> tuple[Picture, str, str]:
    scene = random_scene(rng)
    thing = rng.choice(scene.things)
    return scene, *rng.choice((_count, _count_in_line, _side))(rng, scene.things, thing)


def _count(rng: random.Random, things: tuple[Thing, ...], thing: Thing) -> tuple[str, str]:
    if rng.random() < 0.5:
        return "How many objects are there?", str(len(things))
    return f"How many {thing.size} objects are there?", str(sum(other.size == thing.size for other in things))


def _count_in_line(rng: random.Random, things: tuple[Thing, ...], thing: Thing) -> tuple[str, str]:
    if rng.random() < 0.5:
        number = sum(other.column == thing.column for other in things)
        return f"How many objects are in column {'ABCD'[thing.column]}?", str(number)
    return f"How many objects are in row {thing.row + 1}?", str(sum(other.row == thing.row for other in things))


def _side(rng: random.Random, things: tuple[Thing, ...], thing: Thing) -> tuple[str, str]:
    words, is_there = rng.choice(
        [
            ("to the left of", any(other.column < thing.column for other in things)),
            ("to the right of", any(other.column > thing.column for other in things)),
            ("above", any(other.row < thing.row for other in things)),
            ("below", any(other.row > thing.row for other in things)),
        ]
    )
    return f"Is any object {words} the {look(thing)}?", "yes" if is_there else "no"


def _chart(rng: random.Random) -> tuple[Picture, str, str]:
    chart = random_chart(rng)
    bars = sorted(chart.things, key=bar_value)
    bar = rng.choice(bars)
    question, answer = rng.choice(
        [
            (f"What is the value of the {bar.color} bar?", str(bar_value(bar))),
            ("What is the color of the tallest bar?", bars[-1].color),
            ("What is the color of the shortest bar?", bars[0].color),
        ]
    )
    return chart, question, answer


def _ocr(rng: random.Random) -> tuple[Picture, str, str]:
    number = random_number(rng)
    return number, "What number is written in the image?", "".join(thing.kind for thing in number.things)


def _region(rng: random.Random) -> tuple[Picture, str, str]:
    scene = random_scene(rng, framed=True)
    assert scene.framed is not None
    return scene, f"Look at the white frame. {REGION}", f"a {look(scene.framed)} in cell {place(scene.framed)}"


def _bbox(rng: random.Random) -> tuple[Picture, str, str]:
    scene = random_scene(rng)
    thing = rng.choice(scene.things)
    return scene, f"The {thing.color} {thing.kind} in cell {place(thing)}. {BOX}", box_text(thing)


_TASKS: dict[str, Callable[[random.Random], tuple[Picture, str, str]]] = {
    "caption": _caption,
    "vqa": _vqa,
    "gqa": _gqa,
    "chart": _chart,
    "ocr": _ocr,
    "region": _region,
    "bbox": _bbox,
}
DEMO_TASKS = tuple(_TASKS)


def demo_exchange(seed: int, task: str, split: str, number: int) -> tuple[Picture, str, str]:
    """Return the picture, the question with its response format, and the answer of one sample.

    Raises `VisatbError` for a task that is not in `DEMO_TASKS` or a split that is not train, val or test.
    """
    if task not in DEMO_TASKS or split not in SPLITS:
        raise VisatbError(
            f"demo corpus: no task {task!r} with split {split!r}; tasks are {', '.join(DEMO_TASKS)}, "
            f"splits are {', '.join(SPLITS)}"
        )
    rng = random.Random(f"{seed}/{task}/{split}/{number}")
    picture, question, answer = _TASKS[task](rng)
    if task in ("vqa", "gqa", "chart", "ocr"):
        question = f"{question}\n{SHORT_ANSWER}"
    return picture, question, answer


def demo_sample(seed: int, task: str, split: str, number: int) -> tuple[Image.Image, dict[str, Any]]:
    """Return one picture (64x64, RGB) and its LLaVA record with the keys id, image, conversations and task.

    Raises `VisatbError` as `demo_exchange` does.
    """
    picture, question, answer = demo_exchange(seed, task, split, number)
    name = f"{task}-{split}-{number:06d}"
    conversations = [
        {"from": "human", "value": f"<image>\n{question}"},
        {"from": "gpt", "value": answer},
    ]
    record = {"id": name, "image": f"images/{name}.png", "conversations": conversations, "task": task}
    return draw(picture), record


def alt_text(rng: random.Random) -> tuple[Picture, str, str]:
    """Return a picture, the beginning of a text about it (often empty) and the rest of that text.

    It is the kind of text found beside pictures, without any instruction. This is what the tiny models' base is
    aligned on, as LLaVA's projector is on captions from the web.
    """
    draw_picture = rng.choices((random_scene, random_chart, random_number), weights=(6, 2, 2))[0]
    if draw_picture is random_scene:
        picture, pairs = _scene_facts(rng)
    else:
        picture = draw_picture(rng)
        pairs = [(f"{bar.color} bar", str(bar_value(bar))) for bar in picture.things if bar.kind == "bar"]
    if not pairs:
        return picture, "", "".join(thing.kind for thing in picture.things)
    rng.shuffle(pairs)
    text = "; ".join(f"{key}: {value}" for key, value in pairs)
    beginning = pairs[0][0] if rng.random() < 0.5 else ""
    return picture, beginning, text.removeprefix(beginning).removeprefix(": ")


def _scene_facts(rng: random.Random) -> tuple[Picture, list[tuple[str, str]]]:
    picture = random_scene(rng, framed=rng.random() < 0.2)
    where = box_text if rng.random() < 0.15 else place
    pairs = [(where(thing), f"a {look(thing)}") for thing in picture.things]
    return picture, [(what, spot) for spot, what in pairs] if rng.random() < 0.5 else pairs
