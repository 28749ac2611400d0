"""What a judge is asked about one answer: the prompt's file, what is known of the picture, and how they are joined."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os.path import join, normpath
from pathlib import Path
from typing import Any

from visatb.config_loading import read_yaml
from visatb.data.json_records import placed_records
from visatb.errors import VisatbError, bullet_list, did_you_mean

PLACES = ("context", "question", "reference", "answer")
NEEDED = ("question", "reference", "answer")
NO_CONTEXT = "(nothing but the picture's question and answers)"
_PLACE = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Prompt:
    """The texts of a prompt's file, with ``{question}`` and the like where a sample's texts go."""

    system: str
    user: str

    def filled(self, **texts: str) -> str:
        """Return the user's text with the sample's texts in their places; braces within those mean nothing."""
        return _PLACE.sub(lambda place: texts[place.group(1)], self.user)


def read_prompt(path: str | Path) -> Prompt:
    """Read a prompt's YAML file: the texts ``system`` and ``user``.

    Raises:
        VisatbError: the file is missing or no YAML, or with every mistake in it.
    """
    values = read_yaml(path)
    mistakes = list(_mistakes(values))
    if mistakes:
        raise VisatbError(f"{path} is no prompt for a judge:\n{bullet_list(mistakes)}")
    return Prompt(values.get("system", ""), values["user"])


def _mistakes(values: Mapping[str, Any]) -> Iterator[str]:
    for key, value in values.items():
        if key not in ("system", "user"):
            yield f"{key}: unknown key; known are system and user"
        elif not isinstance(value, str) or not value.strip():
            yield f"{key}: expected text"
    if "user" not in values:
        yield "user: missing; it is the question to the judge"
    if isinstance(user := values.get("user"), str):
        found = _PLACE.findall(user)
        yield from (f"user: {{{name}}} is missing in it" for name in NEEDED if name not in found)
        for name in dict.fromkeys(found):
            if name not in PLACES:
                known = did_you_mean(name, PLACES) or f"; known are {', '.join(PLACES)}"
                yield f"user: there is nothing to fill {{{name}}} with{known}"


def read_contexts(files: Sequence[str | Path], image_folder: str | Path) -> dict[str, str]:
    """Return what is known of each picture: its path from the working directory -> text.

    Each entry of the files (JSON lines, or a JSON list) names an ``image`` of the image folder and describes it by
    ``caption`` or ``captions`` (text or a list of texts), by ``instances`` (a list of objects with ``category`` and
    ``bbox``), or by both, as in the files of LLaVA-Bench.

    Raises:
        VisatbError: naming the file, the place and what is wrong there.
    """
    contexts: dict[str, str] = {}
    for file in files:
        for place, _, entry in placed_records(Path(file)):
            image, text = _context(entry, place)
            contexts[_path(join(image_folder, image))] = text
    return contexts


def context_of(image: str | None, contexts: Mapping[str, str], files: Sequence[str | Path]) -> str:
    """Return what is known of a sample's picture; `NO_CONTEXT` for a text-only sample, or without any files.

    Raises:
        VisatbError: there are files, and they say nothing of this picture.
    """
    if image is None or not files:
        return NO_CONTEXT
    if (text := contexts.get(_path(image))) is None:
        raise VisatbError(f"{', '.join(map(str, files))}: nothing is said of the picture {image}; the judge needs it")
    return text


def _context(entry: Any, place: str) -> tuple[str, str]:
    try:
        captions = entry.get("captions", entry.get("caption", []))
        lines = [captions] if isinstance(captions, str) else list(captions)
        lines += [f"{instance['category']}: {instance['bbox']}" for instance in entry.get("instances", [])]
        image, text = entry["image"], "\n".join(lines)
        if isinstance(image, str) and text.strip():
            return image, text
    except (AttributeError, KeyError, TypeError):
        pass
    raise VisatbError(f"{place}: expected an object with 'image' and 'caption', 'captions' or 'instances'")


def _path(path: str) -> str:
    return normpath(path)
