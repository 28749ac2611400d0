"""A judge's verdicts: the two numbers on their first line, who gave them, and what they cost."""

import re
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from visatb.errors import VisatbError

VERDICT_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("verdict", pa.string()),
        ("judge", pa.string()),
        ("finish_reason", pa.string()),
        ("prompt_tokens", pa.int64()),
        ("completion_tokens", pa.int64()),
        ("cost", pa.float64()),
        ("request", pa.string()),
    ]
)
LOWEST, HIGHEST = 1.0, 10.0
_NUMBER = r"([0-9]{1,2}(?:\.[0-9]+)?)"
_TWO_NUMBERS = re.compile(rf"{_NUMBER}(?:[ \t]*,[ \t]*|[ \t]+){_NUMBER}")


def read_verdict(text: str) -> tuple[float, float] | None:
    """Return the scores of the reference and of the answer, or None.

    The first line must be two numbers from 1 to 10, separated by white space or a comma, and nothing else: of
    "Assistant 1: 8/10" one cannot know which numbers are meant.
    """
    first, *_ = text.strip().split("\n")
    match = _TWO_NUMBERS.fullmatch(first.strip())
    scores = (float(match.group(1)), float(match.group(2))) if match else (0.0, 0.0)
    return scores if all(LOWEST <= score <= HIGHEST for score in scores) else None


def verdict_texts(ids: Sequence[str], verdicts: pa.Table) -> list[str]:
    """Return the texts of the verdicts (`VERDICT_SCHEMA`) on the samples ``ids``, in their order.

    Raises:
        VisatbError: the verdicts are on other samples.
    """
    if verdicts["id"].to_pylist() != list(ids):
        raise VisatbError(
            f"the {len(verdicts)} verdicts are not on these {len(ids)} predictions; have the judge grade these"
        )
    texts: list[str] = verdicts["verdict"].to_pylist()
    return texts


def cost_words(verdicts: pa.Table) -> str:
    """Return in words who judged, how often in vain, and what it cost."""
    used = judge_usage(verdicts)
    unreadable = sum(read_verdict(text) is None for text in verdicts["verdict"].to_pylist())
    price = "" if used["cost"] is None else f", cost {used['cost']:.4g}"
    return f"{len(verdicts)} verdicts of {used['judge']}, {unreadable} unreadable; {used['tokens']} tokens{price}"


def judge_usage(verdicts: pa.Table) -> dict[str, Any]:
    """Return the judge's names, its tokens (0 where it told none) and its cost (None without prices)."""
    tokens = [pc.sum(verdicts[column]).as_py() or 0 for column in ("prompt_tokens", "completion_tokens")]
    names = sorted(set(verdicts["judge"].to_pylist()))
    return {"judge": ", ".join(names), "tokens": sum(tokens), "cost": pc.sum(verdicts["cost"]).as_py()}
