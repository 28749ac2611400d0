"""Patterns that match names."""

import re
from collections.abc import Iterable
from itertools import groupby


def one_of(names: Iterable[str]) -> str:
    """Return a regular expression that matches each of the names, and nothing where there are none.

    It branches letter by letter, ``plus-(?:a|b)``: it is tried on many paths, and a list of N names takes N times as
    long to try as one.
    """
    return _tree(sorted(set(names))) or "(?!)"


def _tree(names: list[str]) -> str:
    """Return a pattern of sorted names without repetition; of the empty name alone the empty pattern."""
    branches = [
        re.escape(first) + _tree([name[1:] for name in group])
        for first, group in groupby(filter(None, names), key=lambda name: name[0])
    ]
    if len(branches) == 1 and names[0]:
        return branches[0]
    # The longest name first: what follows in a path decides.
    return f"(?:{'|'.join(branches)}){'' if names[0] else '?'}" if branches else ""
