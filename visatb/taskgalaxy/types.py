"""Task types: a tree of three levels, in names that are written alike."""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visatb.config.loading import read_yaml
from visatb.errors import VisatbError, bullet_list

LONGEST = 120
"""Characters of a type's name."""

ARROW = " > "
_LISTING = re.compile(r"^\s*(?:[-*•–]|\(?\d{1,3}[.):])\s*")
_EDGES = " \t\"'“”‘’`.,;:"


@dataclass(frozen=True)
class TaskType:
    """A leaf of the tree. ``origin`` is ``seed``, or ``model`` for one that was proposed."""

    level_1: str
    level_2: str
    level_3: str
    origin: str = "seed"

    @property
    def path(self) -> str:
        """The three names in one text."""
        return ARROW.join((self.level_1, self.level_2, self.level_3))

    @property
    def id(self) -> str:
        """Its id, which depends on its names alone."""
        names = "\x1f".join(map(comparable, (self.level_1, self.level_2, self.level_3)))
        return hashlib.sha256(names.encode()).hexdigest()[:12]


def normalised(name: str) -> str:
    """Return a name without numbering, quotes, closing points and doubled spaces.

    Raises:
        ValueError: nothing is left, or more than `LONGEST` characters.
    """
    text = " ".join(unicodedata.normalize("NFKC", name).split())
    text = " ".join(_LISTING.sub("", text).strip(_EDGES).split())
    if not any(character.isalnum() for character in text):
        raise ValueError("no name")
    if len(text) > LONGEST:
        raise ValueError(f"longer than {LONGEST} characters")
    text.encode()  # half a character raises a ValueError
    return text


def comparable(name: str) -> str:
    """Return what names that differ only in case and punctuation have in common."""
    return " ".join("".join(c if c.isalnum() else " " for c in name.casefold()).split())


def read_seeds(path: str | Path) -> dict[str, dict[str, list[str]]]:
    """Read seed types: level-1 type -> level-2 type -> level-3 types; the latter two may be empty or left out.

    Raises:
        VisatbError: with every mistake in the file.
    """
    values = read_yaml(path)
    mistakes = list(_mistakes(values))
    if mistakes:
        raise VisatbError(f"{path} holds no seed types:\n{bullet_list(mistakes)}")
    return {
        normalised(level_1): {
            normalised(level_2): [normalised(level_3) for level_3 in threes or ()] for level_2, threes in _kinds(kinds)
        }
        for level_1, kinds in values.items()
    }


def _kinds(kinds: Any) -> list[tuple[Any, Any]]:
    return list(kinds.items()) if isinstance(kinds, Mapping) else [(two, None) for two in kinds or ()]


def _mistakes(values: Mapping[Any, Any]) -> Iterator[str]:
    yield from _names(list(values), "level 1")
    for level_1, kinds in values.items():
        if kinds is not None and not isinstance(kinds, Mapping | list):
            yield f"{level_1}: expected level-2 types, found {type(kinds).__name__}"
            continue
        yield from _names([level_2 for level_2, _ in _kinds(kinds)], str(level_1))
        for level_2, threes in _kinds(kinds):
            if threes is not None and not isinstance(threes, list):
                yield f"{level_1}{ARROW}{level_2}: expected a list of level-3 types, found {type(threes).__name__}"
            else:
                yield from _names(threes or [], f"{level_1}{ARROW}{level_2}")


def _names(names: list[Any], where: str) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if not isinstance(name, str):
            yield f"{where}: expected a name, found {name!r}; put numbers and words like yes in quotes"
            continue
        try:
            key = comparable(normalised(name))
        except ValueError as error:
            yield f"{where}: {name!r} is no name of a type ({error})"
            continue
        if key in seen:
            yield f"{where}: '{name}' is there twice"
        seen.add(key)
