"""ShareGPT conversations: which are valid, and what is noise of the web page they were copied from.

The rules are those of Zheng et al. (2023), Judging LLM-as-a-Judge, as far as they concern text.
"""

import re
from collections.abc import Sequence
from typing import Any

from visatb.data.bad_records import BadRecordError, kind_of
from visatb.data.records import checked_id, checked_turns
from visatb.data.sources.conversations import Conversation

SPEAKERS = {
    **dict.fromkeys(("human", "user"), "human"),
    **dict.fromkeys(("gpt", "chatgpt", "assistant", "bing", "bard"), "gpt"),
}
NOISE = re.compile(r"^\d+ / \d+|Copy\d+ chars / \d+ words|(?<=\n)Copy code\n")
HTML = re.compile(r"</?(?:div|span|p|pre|ul|ol|li)(?: [^<>]*)?>")


class FilteredError(Exception):
    """A conversation that cleaning leaves out; its text is the kind of reason."""


def cleaned(record: Any, blocked_words: Sequence[str]) -> Conversation:
    """Return a ShareGPT record without noise, from its first human turn to its last answer.

    Raises:
        FilteredError: it is no valid conversation, holds a blocked word (in any case) or is still a web page.
        BadRecordError: it is no ShareGPT record at all.
    """
    if not isinstance(record, dict):
        raise BadRecordError("no record", f"expected an object with id and conversations, found {kind_of(record)}")
    turns = [_turn(turn) for turn in _listed(record.get("conversations"))]
    while turns and turns[0]["from"] != "human":
        turns.pop(0)
    while turns and turns[-1]["from"] != "gpt":
        turns.pop()
    if len(turns) < 2:
        raise FilteredError("no question with an answer")
    text = "\n".join(turn["value"] for turn in turns).casefold()
    if blocked := [word for word in blocked_words if word.casefold() in text]:
        raise FilteredError(f"says {blocked[0]}")
    if any(HTML.search(turn["value"]) for turn in turns):
        raise FilteredError("is HTML")
    try:
        turns, truths = checked_turns(turns, several=False)
    except BadRecordError as error:
        raise FilteredError(error.kind) from error
    texts = [turn["value"] for turn in turns]
    return Conversation(checked_id(record), None, tuple(zip(texts[::2], texts[1::2], strict=True)), tuple(truths))


def _listed(turns: object) -> list[Any]:
    if not isinstance(turns, list):
        raise BadRecordError("no conversation", "has no list of 'conversations'")
    return turns


def _turn(turn: Any) -> dict[str, str]:
    if not isinstance(turn, dict) or not isinstance(turn.get("value"), str):
        raise BadRecordError("turn value", "a turn has no text as its 'value'")
    speaker = str(turn.get("from"))
    return {"from": SPEAKERS.get(speaker, speaker), "value": NOISE.sub("", turn["value"]).strip()}
