"""Boxes in texts."""

import re

import numpy as np

BOX = re.compile(r"\[([^\[\]_]*)\]")


def parse_box(text: str) -> tuple[float, float, float, float] | None:
    """Return the first ``[x1, y1, x2, y2]`` in a text, or None if it cannot be read or has x1 > x2 or y1 > y2."""
    match = BOX.search(text)
    try:
        numbers = [float(part) for part in match.group(1).split(",")] if match else []
    except ValueError:
        return None
    if len(numbers) != 4 or not np.all(np.isfinite(numbers)) or numbers[0] > numbers[2] or numbers[1] > numbers[3]:
        return None
    return numbers[0], numbers[1], numbers[2], numbers[3]
