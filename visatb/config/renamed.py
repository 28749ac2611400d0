"""Keys that have had another name: understood for one more release, with a line that says so."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from visatb.config.messages import Mistake, Path, place


@dataclass(frozen=True)
class Renaming:
    """A key that is called something else now.

    Attributes:
        section: path of its section; ``*`` stands for any name.
        old: what it was called.
        new: what it is called.
    """

    section: tuple[str, ...]
    old: str
    new: str


RENAMED = (
    Renaming(("evaluation", "judge"), "endpoint", "url"),
    Renaming(("zero_shot", "endpoint"), "address", "url"),
    Renaming(("taskgalaxy", "endpoints", "*"), "address", "url"),
)
COUNTED_ALL = ("zero_shot", "endpoint")
"""The section whose `retries` was the number of attempts in all; in others it is that of further attempts."""


def with_new_names(values: Mapping[str, Any]) -> tuple[dict[str, Any], list[str], list[Mistake]]:
    """Return a config whose keys have the names of today.

    Args:
        values: a config as it is written, with what it extends.

    Returns:
        The config; a line for each old name in it; a mistake for each key that has both its names. Neither
        shows a key's value, for an address may hold a password.
    """
    renamed: Any = dict(values)
    lines: list[str] = []
    mistakes: list[Mistake] = []
    for renaming in RENAMED:
        for path in list(_paths(renamed, renaming.section)):
            section = dict(_at(renamed, path))
            if renaming.old not in section:
                continue
            old, new = (place((*path, key)) for key in (renaming.old, renaming.new))
            value = section.pop(renaming.old)
            if renaming.new in section:
                words = f"{old}: is the old name of {renaming.new}, and both are given; take {renaming.old} away"
                mistakes.append(Mistake((*path, renaming.old), words))
            else:
                section[renaming.new] = value
                lines.append(f"{old} is called {renaming.new} since 0.2; the old name is understood until 0.3")
                lines += _further_attempts(section, new) if path == COUNTED_ALL else []
            renamed = _replaced(renamed, path, section)
    return renamed, lines, mistakes


def _further_attempts(section: dict[str, Any], url: str) -> Iterator[str]:
    """Count `retries` as it is counted today, where it stands beside the old name of the address."""
    attempts = section.get("retries")
    if isinstance(attempts, int) and not isinstance(attempts, bool) and attempts > 0:
        section["retries"] = attempts - 1
        yield (
            f"{place((*COUNTED_ALL, 'retries'))}: {attempts} attempts in all, as in 0.1; since 0.2 further attempts "
            f"are counted: write {attempts - 1} when you write {url}"
        )


def _paths(values: Any, pattern: tuple[str, ...], path: Path = ()) -> Iterator[tuple[str, ...]]:
    """Yield the paths of the mappings that a path with ``*`` means."""
    if not isinstance(values, Mapping):
        return
    if not pattern:
        yield tuple(map(str, path))
        return
    for key in [key for key in values if isinstance(key, str)] if pattern[0] == "*" else pattern[:1]:
        yield from _paths(values.get(key), pattern[1:], (*path, key))


def _at(values: Any, path: tuple[str, ...]) -> Any:
    return _at(values[path[0]], path[1:]) if path else values


def _replaced(values: Any, path: tuple[str, ...], section: dict[str, Any]) -> Any:
    return {**values, path[0]: _replaced(values[path[0]], path[1:], section)} if path else section
