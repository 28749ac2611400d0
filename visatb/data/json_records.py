"""Annotation files record by record, each with its place, without holding a file's parsed records all at once."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from visatb.errors import VisatbError, did_you_mean

DECODER = json.JSONDecoder()
BLANKS = " \t\r\n"


def placed_records(path: Path) -> Iterator[tuple[str, int, Any]]:
    """Yield (place, bytes or characters read so far, record) of a JSON list, or of JSON lines (``.jsonl``).

    Raises:
        VisatbError: the file is missing, empty, not UTF-8, no JSON (with its line), or of the other kind.
    """
    if not path.is_file():
        names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
        raise VisatbError(f"{path}: no such file{did_you_mean(path.name, names)}")
    try:
        yield from _json_lines(path) if path.suffix == ".jsonl" else _json_list(path)
    except OSError as error:
        raise VisatbError(f"{path}: cannot be read ({error.strerror})") from error


def _json_lines(path: Path) -> Iterator[tuple[str, int, Any]]:
    read = 0
    with path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            place = f"{path}, line {number}"
            read += len(line)
            text = _decoded(line, place).strip(BLANKS)
            if read == len(line) and text.startswith("["):
                raise VisatbError(f"{place}: expected one record a line, found a list; name a file with a list .json")
            if text:
                yield place, read, _parsed_line(text, place)


def _parsed_line(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise VisatbError(f"{place}: not valid JSON: {error.msg} (column {error.colno})") from error


def _json_list(path: Path) -> Iterator[tuple[str, int, Any]]:
    text = _decoded(path.read_bytes(), str(path))
    start = _after_blanks(text, 0)
    if start == len(text):
        raise VisatbError(f"{path}: is empty; expected a JSON list of records")
    if text[start] != "[":
        found = "one JSON object" if text[start] == "{" else f"'{text[start : start + 20]}'"
        raise VisatbError(
            f"{path}: expected a JSON list of records, found {found}; name a file with one record a line .jsonl"
        )
    try:
        yield from _list_items(path, text, start + 1)
    except json.JSONDecodeError as error:
        raise VisatbError(f"{path}, line {error.lineno}: not valid JSON: {error.msg} (column {error.colno})") from error


def _list_items(path: Path, text: str, start: int) -> Iterator[tuple[str, int, Any]]:
    at, number = _after_blanks(text, start), 0
    if text[at : at + 1] != "]":
        while True:
            record, at = DECODER.raw_decode(text, at)
            number += 1
            yield f"{path}, record {number}", at, record
            at = _after_blanks(text, at)
            if text[at : at + 1] != ",":
                break
            at = _after_blanks(text, at + 1)
    if text[at : at + 1] != "]":
        raise json.JSONDecodeError("expected ',' or ']' after a record", text, at)
    after = _after_blanks(text, at + 1)
    if after != len(text):
        raise json.JSONDecodeError("there is more after the end of the list", text, after)


def _after_blanks(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANKS:
        at += 1
    return at


def _decoded(data: bytes, place: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        where = place if ", line " in place else f"{place}, line {line}"
        raise VisatbError(f"{where}: not UTF-8 text ({error.reason}); save the file as UTF-8") from error
