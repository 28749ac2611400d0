"""The demo's pictures: 64x64 scenes of coloured shapes, bar charts and seven-segment numbers.

A picture is first a small description (what lies where) and only then pixels, so that every question about
it has a known answer. All coordinates are even: a sixteenth of a cell, a thirty-second of the picture.
"""

import random
from dataclasses import dataclass

from PIL import Image, ImageDraw

SIDE = 64
CELL = 16
GRID = SIDE // CELL
STEP = 2
SHAPES = ("circle", "square", "triangle", "cross", "diamond")
COLORS = {
    "red": (220, 40, 40),
    "green": (40, 170, 60),
    "blue": (50, 80, 230),
    "yellow": (240, 220, 50),
    "purple": (160, 60, 200),
    "orange": (245, 140, 30),
}
SIZES = {"small": 8, "large": 12}
BACKGROUNDS = ((0, 0, 0), (30, 30, 30), (60, 60, 60))
FRAME_COLOR = (255, 255, 255)
BAR_BASE = 62
BAR_UNIT = 6
# Lit segments of each digit: top, upper right, lower right, bottom, lower left, upper left, middle.
SEGMENTS = ("abcdef", "bc", "abged", "abgcd", "fgbc", "afgcd", "afgedc", "abc", "abcdefg", "abcdfg")

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Thing:
    """One object, bar or digit; ``box`` is ``(x1, y1, x2, y2)`` in pixels, x2 and y2 not included."""

    kind: str
    color: str
    box: Box

    @property
    def column(self) -> int:
        """The cell column of the centre, 0 at the left."""
        return (self.box[0] + self.box[2]) // 2 // CELL

    @property
    def row(self) -> int:
        """The cell row of the centre, 0 at the top."""
        return (self.box[1] + self.box[3]) // 2 // CELL

    @property
    def size(self) -> str:
        """``small`` or ``large``: the size of an object."""
        return "small" if self.box[2] - self.box[0] <= SIZES["small"] else "large"


@dataclass(frozen=True)
class Picture:
    """What a picture shows, in reading order; ``framed`` is the thing whose cell has a white frame."""

    background: tuple[int, int, int]
    things: tuple[Thing, ...]
    framed: Thing | None = None


def random_scene(rng: random.Random, framed: bool = False) -> Picture:
    """Draw 2 to 4 objects, no two of the same shape and colour, each in a cell of its own."""
    count = rng.randint(2, 4)
    cells = sorted(rng.sample(range(GRID * GRID), count))
    looks = rng.sample([(shape, color) for shape in SHAPES for color in COLORS], count)
    things = tuple(_place(rng, cell, shape, color) for cell, (shape, color) in zip(cells, looks, strict=True))
    return Picture(rng.choice(BACKGROUNDS), things, rng.choice(things) if framed else None)


def _place(rng: random.Random, cell: int, shape: str, color: str) -> Thing:
    side = SIZES[rng.choice(list(SIZES))]
    margin = (CELL - side) // 2
    left = CELL * (cell % GRID) + margin + rng.choice((-STEP, 0, STEP))
    top = CELL * (cell // GRID) + margin + rng.choice((-STEP, 0, STEP))
    return Thing(shape, color, (left, top, left + side, top + side))


def random_chart(rng: random.Random) -> Picture:
    """Draw 2 to 4 bars of different colours and different values 1 to 9, side by side."""
    count = rng.randint(2, GRID)
    values = rng.sample(range(1, 10), count)
    bars = (
        Thing("bar", color, (CELL * i + 2, BAR_BASE - BAR_UNIT * value, CELL * i + 14, BAR_BASE))
        for i, (color, value) in enumerate(zip(rng.sample(list(COLORS), count), values, strict=True))
    )
    return Picture(rng.choice(BACKGROUNDS), tuple(bars))


def bar_value(bar: Thing) -> int:
    """Return the value, 1 to 9, that a bar's height stands for."""
    return (bar.box[3] - bar.box[1]) // BAR_UNIT


def random_number(rng: random.Random) -> Picture:
    """Write a number of 2 to 4 digits in one colour, one digit a cell, anywhere on the grid."""
    digits = str(rng.randint(1, 9)) + "".join(str(rng.randint(0, 9)) for _ in range(rng.randint(1, 3)))
    row, start = rng.randrange(GRID), rng.randint(0, GRID - len(digits))
    color = rng.choice(list(COLORS))
    things = (Thing(digit, color, _digit_box(CELL * (start + i), CELL * row)) for i, digit in enumerate(digits))
    return Picture(rng.choice(BACKGROUNDS), tuple(things))


def _digit_box(x: int, y: int) -> Box:
    return (x + 4, y + 1, x + 12, y + 15)


def draw(picture: Picture) -> Image.Image:
    """Return the picture as an RGB image of 64x64 pixels."""
    image = Image.new("RGB", (SIDE, SIDE), picture.background)
    pen = ImageDraw.Draw(image)
    for thing in picture.things:
        _draw_thing(pen, thing)
    if picture.framed is not None:
        x, y = CELL * picture.framed.column, CELL * picture.framed.row
        pen.rectangle((x, y, x + CELL - 1, y + CELL - 1), outline=FRAME_COLOR)
    return image


def _draw_thing(pen: ImageDraw.ImageDraw, thing: Thing) -> None:
    x1, y1, x2, y2 = thing.box[0], thing.box[1], thing.box[2] - 1, thing.box[3] - 1
    middle_x, middle_y, fill = (x1 + x2) / 2, (y1 + y2) / 2, COLORS[thing.color]
    if thing.kind in ("square", "bar"):
        pen.rectangle((x1, y1, x2, y2), fill=fill)
    elif thing.kind == "circle":
        pen.ellipse((x1, y1, x2, y2), fill=fill)
    elif thing.kind == "triangle":
        pen.polygon([(x1, y2), (middle_x, y1), (x2, y2)], fill=fill)
    elif thing.kind == "diamond":
        pen.polygon([(x1, middle_y), (middle_x, y1), (x2, middle_y), (middle_x, y2)], fill=fill)
    elif thing.kind == "cross":
        arm = (x2 - x1 + 1) // 2 - 1
        pen.rectangle((x1 + arm, y1, x2 - arm, y2), fill=fill)
        pen.rectangle((x1, y1 + arm, x2, y2 - arm), fill=fill)
    else:
        _draw_digit(pen, thing, fill)


def _draw_digit(pen: ImageDraw.ImageDraw, thing: Thing, fill: tuple[int, int, int]) -> None:
    x1, y1, x2, y2 = thing.box[0], thing.box[1], thing.box[2] - 1, thing.box[3] - 1
    middle = (y1 + y2) // 2
    strokes = {
        "a": (x1, y1, x2, y1 + 1),
        "b": (x2 - 1, y1, x2, middle),
        "c": (x2 - 1, middle, x2, y2),
        "d": (x1, y2 - 1, x2, y2),
        "e": (x1, middle, x1 + 1, y2),
        "f": (x1, y1, x1 + 1, middle),
        "g": (x1, middle, x2, middle + 1),
    }
    for segment in SEGMENTS[int(thing.kind)]:
        pen.rectangle(strokes[segment], fill=fill)
