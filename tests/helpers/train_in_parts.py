"""Runs training.py with so few logits at once that the output head of a tiny model makes them in parts, and says so."""

import runpy

from tests.helpers.paths import REPOSITORY
from visatb.training.loss import head

LOGITS = 1000
SAID = "the head works in parts"
told: list[int] = []
parts = head._parts


def telling(positions: int, words: int) -> list[slice]:
    found = parts(positions, words)
    if len(found) > 2 and not told:
        print(SAID, flush=True)
        told.append(len(found))
    return found


if __name__ == "__main__":
    head.LOGITS_AT_ONCE, head._parts = LOGITS, telling
    runpy.run_path(str(REPOSITORY / "workflow_scripts/training.py"), run_name="__main__")
