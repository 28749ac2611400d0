"""What a judge is asked about one answer: the prompt's file, what is known of the picture, and how they are joined."""

from collections.abc import Mapping, Sequence
from os.path import join, normpath
from pathlib import Path
from typing import Any

from visatb.data.json_records import located_records
from visatb.endpoints.prompts import Prompt, read_prompt_file
from visatb.errors import VisatbError

PLACES = ("context", "question", "reference", "answer")
NEEDED = ("question", "reference", "answer")
NO_CONTEXT = "(nothing but the picture's question and answers)"


def read_prompt(path: str | Path) -> Prompt:
    """Read a judge's prompt: the texts ``system`` and ``user``.

    Raises:
        VisatbError: the file is missing or no YAML, or with every mistake in it.
    """
    return read_prompt_file(path, "prompt for a judge", NEEDED, PLACES)


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
        for location, _, entry in located_records(Path(file)):
            image, text = _context(entry, location)
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


def _context(entry: Any, location: str) -> tuple[str, str]:
    try:
        captions = entry.get("captions", entry.get("caption", []))
        lines = [captions] if isinstance(captions, str) else list(captions)
        lines += [f"{instance['category']}: {instance['bbox']}" for instance in entry.get("instances", [])]
        image, text = entry["image"], "\n".join(lines)
        if isinstance(image, str) and text.strip():
            return image, text
    except (AttributeError, KeyError, TypeError):
        pass
    raise VisatbError(f"{location}: expected an object with 'image' and 'caption', 'captions' or 'instances'")


def _path(path: str) -> str:
    return normpath(path)
