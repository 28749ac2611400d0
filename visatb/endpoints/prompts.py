"""Prompts as YAML files: the texts ``system`` and ``user``, with ``{places}`` for what differs between questions."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from visatb.config.loading import read_yaml
from visatb.errors import VisatbError, bullet_list, did_you_mean

_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Prompt:
    """The texts of a prompt's file, with ``{question}`` and the like where a sample's texts go."""

    system: str
    user: str

    def filled(self, **texts: str) -> str:
        """Return the user's text with the sample's texts in their places; braces within those mean nothing."""
        return _PLACE.sub(lambda match: texts[match.group(1)], self.user)


def read_prompt_file(path: str | Path, what: str, needed: Sequence[str], known: Sequence[str]) -> Prompt:
    """Read a prompt's YAML file.

    Args:
        path: the file.
        what: it is meant to be, e.g. ``prompt for a judge``.
        needed: places that the user's text must have.
        known: places that it may have.

    Raises:
        VisatbError: the file is missing or no YAML, or with every mistake in it.
    """
    values = read_yaml(path)
    mistakes = list(_mistakes(values, needed, known))
    if mistakes:
        raise VisatbError(f"{path} is no {what}:\n{bullet_list(mistakes)}")
    return Prompt(values.get("system", ""), values["user"])


def _mistakes(values: Mapping[str, Any], needed: Sequence[str], known: Sequence[str]) -> Iterator[str]:
    for key, value in values.items():
        if key not in ("system", "user"):
            yield f"{key}: unknown key; known are system and user"
        elif not isinstance(value, str) or not value.strip():
            yield f"{key}: expected text"
    if "user" not in values:
        yield "user: missing; it is the question"
    if isinstance(user := values.get("user"), str):
        names = _PLACE.findall(user)
        yield from (f"user: {{{name}}} is missing in it" for name in needed if name not in names)
        for name in dict.fromkeys(names):
            if name not in known:
                hint = did_you_mean(name, known) or f"; known are {', '.join(known)}"
                yield f"user: there is nothing to fill {{{name}}} with{hint}"
