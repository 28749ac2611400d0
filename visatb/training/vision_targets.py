"""What a tiny vision encoder is taught before it meets text: the contents of each of a picture's cells."""

import torch

from visatb.data.scenes import CELL, COLORS, GRID, SHAPES, SIZES, STEP, Picture, Thing

KINDS = ("nothing", *SHAPES, "bar", *"0123456789")
SIDES = ("left", "top", "right", "bottom")
UNKNOWN = -100
# Number of classes of each question about a cell.
QUESTIONS = {
    "kind": len(KINDS),
    "color": len(COLORS),
    "size": len(SIZES),
    **dict.fromkeys(SIDES, CELL // STEP + 1),
    "row": GRID,
    "column": GRID,
    "framed": 2,
}


def cell_targets(picture: Picture) -> torch.Tensor:
    """Return the class of every question for every cell, int64 [16, questions]; `UNKNOWN` where none."""
    targets = torch.full((GRID * GRID, len(QUESTIONS)), UNKNOWN)
    for cell in range(GRID * GRID):
        row, column = divmod(cell, GRID)
        framed = picture.framed is not None and (picture.framed.row, picture.framed.column) == (row, column)
        targets[cell, 0] = 0
        targets[cell, -3:] = torch.tensor([row, column, int(framed)])
    for thing in picture.things:
        for row in range(thing.box[1] // CELL, (thing.box[3] - 1) // CELL + 1):
            answers = _answers(thing, row)
            targets[row * GRID + thing.column, : len(answers)] = torch.tensor(answers)
    return targets


def _answers(thing: Thing, row: int) -> list[int]:
    """Kind, colour, size and the sides, in steps from the cell's corner, of the thing's part in this row."""
    size = list(SIZES).index(thing.size) if thing.kind in SHAPES else UNKNOWN
    corner = (CELL * thing.column, CELL * row) * 2
    sides = [min(max(value - start, 0), CELL) // STEP for value, start in zip(thing.box, corner, strict=True)]
    return [KINDS.index(thing.kind), list(COLORS).index(thing.color), size, *sides]
