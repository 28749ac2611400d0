"""Instructions as sentences, and what of them is kept: spans of characters, mapped to tokens by their offsets."""

import re
from collections.abc import Collection, Iterable, Sequence

Span = tuple[int, int]
"""First character, and the one after the last."""

# A line ends a sentence, and so does a mark with a space behind it. After a colon comes what varies: a box, a phrase.
# The mark behind the letter of an option ("A. a red ring") ends none.
_SENTENCE = re.compile(r"(?m)[^\n]+?(?:(?<!^[A-Za-z0-9])[.!?:]+[\"')\]]*(?=\s)|(?=\n)|\Z)")


def sentence_spans(text: str) -> list[Span]:
    """Return the sentences of a text, without the white space around them."""
    spans = (_stripped(text, match.span()) for match in _SENTENCE.finditer(text))
    return [span for span in spans if span[0] < span[1]]


def plain(sentence: str) -> str:
    """Return a sentence as it is compared with others: every white space is one blank."""
    return " ".join(sentence.split())


def kept_spans(text: str, templates: Collection[str]) -> list[Span]:
    """Return what is left of a text without the sentences that are ``templates`` (`plain`), in few spans."""
    removed = [span for span in sentence_spans(text) if plain(text[slice(*span)]) in templates]
    starts, ends = [0, *(end for _, end in removed)], [*(start for start, _ in removed), len(text)]
    spans = (_stripped(text, span) for span in zip(starts, ends, strict=True))
    return [span for span in spans if span[0] < span[1]]


def _stripped(text: str, span: Span) -> Span:
    part = text[slice(*span)]
    return span[0] + len(part) - len(part.lstrip()), span[1] - len(part) + len(part.rstrip())


def tokens_within(text: str, offsets: Iterable[Span], spans: Sequence[Span]) -> list[bool]:
    """Tell which tokens lie within ``spans``: all their characters do, but for white space at their ends.

    Args:
        text: what was tokenised.
        offsets: each token's characters in it. Those of added tokens are empty, and lie nowhere.
        spans: in order, not touching each other.
    """
    inside = bytearray(len(text))
    for start, end in spans:
        inside[start:end] = b"\1" * (end - start)
    return [_lies_within(text, inside, offset) for offset in offsets]


def _lies_within(text: str, inside: bytearray, offset: Span) -> bool:
    start, end = _stripped(text, offset)
    if start >= end:  # white space alone
        start, end = offset
    return start < end and all(inside[start:end])
