"""Annotation files record by record, each with its location, without holding a file's parsed records all at once."""

import codecs
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

from visatb.errors import VisatbError, did_you_mean

DECODER = json.JSONDecoder()
BLANKS = " \t\r\n"
WINDOW = 2**20
"""Bytes that are read at a time."""

_AFTER_VALUE = tuple(f"{BLANKS},]")
_BLANKS = re.compile(f"[{BLANKS}]*")
_NO_UTF8 = "not UTF-8 text ({}); save the file as UTF-8"


def located_records(path: Path) -> Iterator[tuple[str, int, Any]]:
    """Yield (location, bytes read so far, record) of a JSON list, or of JSON lines (``.jsonl``).

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
            location = f"{path}, line {number}"
            read += len(line)
            text = _decoded(line, location).strip(BLANKS)
            if read == len(line) and text.startswith("["):
                raise VisatbError(
                    f"{location}: expected one record a line, found a list; name a file with a list .json"
                )
            if text:
                yield location, read, _parsed_line(text, location)


def _parsed_line(text: str, location: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise VisatbError(f"{location}: not valid JSON: {error.msg} (column {error.colno})") from error


def _json_list(path: Path) -> Iterator[tuple[str, int, Any]]:
    with path.open("rb") as stream:
        window = _Window(path, stream)
        first = window.peek()
        if not first:
            raise VisatbError(f"{path}: is empty; expected a JSON list of records")
        if first != "[":
            beginning = "one JSON object" if first == "{" else f"'{window.text[window.at : window.at + 20].rstrip()}'"
            raise VisatbError(
                f"{path}: expected a JSON list of records, found {beginning}; name a file with one record a line .jsonl"
            )
        window.at += 1
        yield from _list_items(window)


def _list_items(window: "_Window") -> Iterator[tuple[str, int, Any]]:
    number = 0
    if window.peek() != "]":
        while True:
            record = window.value()
            number += 1
            yield f"{window.path}, record {number}", window.read, record
            if window.peek() != ",":
                break
            window.at += 1
    if window.peek() != "]":
        raise window.error(json.JSONDecodeError("expected ',' or ']' after a record", window.text, window.at))
    window.at += 1
    if window.peek():
        raise window.error(json.JSONDecodeError("there is more after the end of the list", window.text, window.at))


class _Window:
    """A part of a JSON text that moves on through its file: a list of any length takes the memory of some records."""

    def __init__(self, path: Path, stream: BinaryIO) -> None:
        self.path, self.text, self.at, self.read = path, "", 0, 0
        self._stream, self._decoder = stream, codecs.getincrementaldecoder("utf-8-sig")()
        self._lines, self._columns, self._is_whole = 0, 0, False

    def peek(self) -> str:
        """Move to the next character that is no blank and return it; nothing at the end of the file."""
        while True:
            self.at = _BLANKS.match(self.text, self.at).end()  # type: ignore[union-attr]
            if self.at < len(self.text) or not self._more():
                return self.text[self.at : self.at + 1]

    def value(self) -> Any:
        """Return the JSON value that is next."""
        self.peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self.text, self.at)
            except json.JSONDecodeError as error:
                if not self._more():
                    raise self.error(error) from error
                continue
            # A number at the window's end may go on behind it: 0 can become 0.5.
            if self.text[end : end + 1] in _AFTER_VALUE or not self._more():
                self.at = end
                return value

    def error(self, error: json.JSONDecodeError) -> VisatbError:
        """Return a mistake at a place of the window with its line and column in the file."""
        column = error.colno + (self._columns if error.lineno == 1 else 0)
        return VisatbError(
            f"{self.path}, line {self._lines + error.lineno}: not valid JSON: {error.msg} (column {column})"
        )

    def _more(self) -> bool:
        """Read on, and forget what lies behind; False at the end of the file."""
        if self._is_whole:
            return False
        behind, self.text = self.text[: self.at], self.text[self.at :]
        self.at = 0
        if behind:
            self._lines += behind.count("\n")
            self._columns = len(behind) - behind.rfind("\n") - 1 if "\n" in behind else self._columns + len(behind)
        data = self._stream.read(max(WINDOW, len(self.text)))  # doubling: a long record is not decoded too often
        self.read += len(data)
        self._is_whole = not data
        try:
            self.text += self._decoder.decode(data, final=self._is_whole)
        except UnicodeDecodeError as error:
            good = self.text + error.object[: error.start].decode("utf-8", "replace")
            line = self._lines + good.count("\n") + 1
            raise VisatbError(f"{self.path}, line {line}: {_NO_UTF8.format(error.reason)}") from error
        return True


def _decoded(line: bytes, location: str) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise VisatbError(f"{location}: {_NO_UTF8.format(error.reason)}") from error
