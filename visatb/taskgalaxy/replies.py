"""What models reply, read strictly: JSON with the keys that were asked for, numbers that were offered."""

import json
import re
from typing import Any

_FENCE = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)
LONGEST_TEXT = 4000
"""Characters of a question or an answer."""


class UnusableError(Exception):
    """A reply that cannot be used; the message says why, in words that the funnel counts by."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, " ".join(detail.split())[:300]


def json_object(text: str) -> dict[str, Any]:
    """Return the first JSON object of a reply, be it alone, fenced or between words."""
    if not text.strip():
        raise UnusableError("empty reply")
    fenced = _FENCE.search(text)
    for part in ([fenced.group(1)] if fenced else []) + [text]:
        if (parsed := _first_object(part)) is not None:
            return parsed
    raise UnusableError("no JSON in the reply", text)


def _first_object(text: str) -> dict[str, Any] | None:
    decoder = json.JSONDecoder()
    start = text.find("{")
    while start >= 0:
        try:
            value, _ = decoder.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
            continue
        return value if isinstance(value, dict) else None
    return None


def parse_types(text: str) -> list[str]:
    """Return the names of ``{"types": [...]}``."""
    names = json_object(text).get("types")
    if not isinstance(names, list) or not names or not all(isinstance(name, str) for name in names):
        raise UnusableError("no list of types in the reply", text)
    return names


def parse_numbers(text: str, count: int) -> list[int]:
    """Return the numbers from 1 to ``count`` of ``{"suitable": [...]}``, in order, each once."""
    numbers = json_object(text).get("suitable")
    if not isinstance(numbers, list):
        raise UnusableError("no list of numbers in the reply", text)
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, int):
            raise UnusableError("something else than a number in the reply", text)
        if not 1 <= number <= count:
            raise UnusableError("a number that was not offered", text)
    return sorted(set(numbers))


def parse_exchange(text: str) -> tuple[str, str]:
    """Return the texts of ``{"question": ..., "answer": ...}``."""
    value = json_object(text)
    return _text(value, "question"), _text(value, "answer")


def _text(value: dict[str, Any], key: str) -> str:
    text = value.get(key)
    if not isinstance(text, str) or not text.strip():
        raise UnusableError(f"no {key} in the reply", json.dumps(value))
    if len(text) > LONGEST_TEXT:
        raise UnusableError(f"{key} longer than {LONGEST_TEXT} characters", text)
    if "<image>" in text:
        raise UnusableError(f"the mark <image> in the {key}", text)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise UnusableError(f"half a character in the {key}", repr(text)) from None
    return text.strip()


def parse_votes(text: str) -> tuple[int, int, str]:
    """Return the votes, 0 or 1, on question and answer, and the reason, of a judge's reply."""
    value = json_object(text)
    votes = [value.get(key) for key in ("question", "answer")]
    if any(vote not in (0, 1) or isinstance(vote, float) for vote in votes):
        raise UnusableError("no votes of 0 or 1 in the reply", text)
    reason = value.get("reason")
    clean = reason.encode(errors="replace").decode() if isinstance(reason, str) else ""
    return int(bool(votes[0])), int(bool(votes[1])), clean
