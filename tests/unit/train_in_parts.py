"""Runs train.py with so few logits at once that the output head of a tiny model makes them in parts."""

import runpy
from pathlib import Path

from visatb.training import head

LOGITS = 3000
made: list[int] = []
parts = head._parts


def counted(positions: int, words: int) -> list[slice]:
    found = parts(positions, words)
    made.append(len(found))
    return found


if __name__ == "__main__":
    head.LOGITS_AT_ONCE, head._parts = LOGITS, counted
    runpy.run_path(str(Path(__file__).parents[2] / "workflow_scripts/train.py"), run_name="__main__")
    assert max(made) > 2, f"no logits were made in parts: {made}"
