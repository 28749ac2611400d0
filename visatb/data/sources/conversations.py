"""Conversations on an image, and what preparing a task's data does with them: merge, cut, draw, split.

An exchange is a question with its answer. Every step keeps the order of what it is given.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate, chain, pairwise
from typing import Any, TypeVar

from visatb.data.bad_records import BadRecordError, kind_of
from visatb.data.mixtures import subset_rows
from visatb.data.records import checked_id, checked_turns, encodable
from visatb.errors import VisatbError

Item = TypeVar("Item")
MARK = re.compile(r"[ \t]*\n?<image>\n?[ \t]*")


@dataclass(frozen=True, slots=True)
class Conversation:
    """Exchanges on one image, or on none.

    Attributes:
        id: text that names it.
        image: path of its image from the image folder.
        exchanges: (question, answer) one after the other, without the mark ``<image>``.
        truths: all true answers to the last question; the answer is the first of them.
    """

    id: str
    image: str | None
    exchanges: tuple[tuple[str, str], ...]
    truths: tuple[str, ...]


def from_record(record: dict[str, Any], several: bool) -> Conversation:
    """Return a LLaVA-format record as a conversation, or raise `BadRecordError`.

    The mark ``<image>`` is taken out, wherever it is; `as_record` puts it before the first question.
    ``several``: the last answer may be a list of texts that all count as right.
    """
    turns, truths = checked_turns(record.get("conversations"), several)
    texts = [turn["value"] for turn in turns]
    image = record.get("image") or None
    if not isinstance(image, str | None):
        raise BadRecordError("image", f"'image' is {kind_of(image)}, expected the path of one image")
    if image is None and any("<image>" in text for text in texts):
        raise BadRecordError("no image", "says <image> but names no image; add 'image' or take <image> away")
    questions = [MARK.sub("", text).strip() for text in texts[::2]]
    exchanges = tuple(zip(questions, texts[1::2], strict=True))
    return Conversation(checked_id(record), image and encodable(image), exchanges, tuple(truths))


def as_record(conversation: Conversation) -> dict[str, Any]:
    """Return a conversation as a LLaVA-format record."""
    turns: list[dict[str, Any]] = []
    for question, answer in conversation.exchanges:
        turns += [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]
    if len(conversation.truths) > 1:
        turns[-1]["value"] = list(conversation.truths)
    if conversation.image is None:
        return {"id": conversation.id, "conversations": turns}
    turns[0]["value"] = f"<image>\n{turns[0]['value']}".rstrip()
    return {"id": conversation.id, "image": conversation.image, "conversations": turns}


def json_line(conversation: Conversation) -> str:
    """Return a conversation as one line of JSON."""
    return json.dumps(as_record(conversation), ensure_ascii=False) + "\n"


def merged_by_image(conversations: Iterable[Conversation]) -> list[Conversation]:
    """Join the conversations on one image into one, at the place of the first. Those without image stay apart."""
    groups = _grouped(conversations)
    return [
        replace(g[0], exchanges=tuple(chain.from_iterable(c.exchanges for c in g)), truths=g[-1].truths) for g in groups
    ]


def merged_references(conversations: Iterable[Conversation]) -> list[Conversation]:
    """Join the one-question conversations on one image into one question, the first, with all their true answers."""
    groups = _grouped(conversations)
    return [replace(g[0], truths=tuple(dict.fromkeys(chain.from_iterable(c.truths for c in g)))) for g in groups]


def _grouped(conversations: Iterable[Conversation]) -> list[list[Conversation]]:
    groups: dict[object, list[Conversation]] = {}
    for number, conversation in enumerate(conversations):
        groups.setdefault(number if conversation.image is None else conversation.image, []).append(conversation)
    return list(groups.values())


def in_segments(conversations: Iterable[Conversation], longest: int) -> list[Conversation]:
    """Cut each conversation into ones of at most ``longest`` exchanges; the image goes with each of them."""
    return [segment for conversation in conversations for segment in _segments(conversation, longest)]


def _segments(conversation: Conversation, longest: int) -> list[Conversation]:
    if len(conversation.exchanges) <= longest:
        return [conversation]
    starts = range(0, len(conversation.exchanges), longest)
    parts = [conversation.exchanges[start : start + longest] for start in starts]
    ends = [(part[-1][1],) for part in parts[:-1]] + [conversation.truths]
    return [replace(conversation, exchanges=part, truths=end) for part, end in zip(parts, ends, strict=True)]


def with_instruction(conversation: Conversation, instruction: str, only_first: bool) -> Conversation:
    """Put ``instruction`` on a line below the first question, or below every one, where it is not there already."""
    asked = [
        (
            question if instruction in question or (number and only_first) else f"{question}\n{instruction}".lstrip(),
            answer,
        )
        for number, (question, answer) in enumerate(conversation.exchanges)
    ]
    return replace(conversation, exchanges=tuple(asked))


def within_tokens(conversation: Conversation, longest: int, tokens: Callable[[str], int]) -> Conversation:
    """Keep the leading exchanges that have at most ``longest`` tokens together, but never less than the first one.

    Whole exchanges are kept, so that no answer is taught to end in mid-sentence.
    """
    total, kept = 0, 0
    for question, answer in conversation.exchanges:
        total += tokens(question) + tokens(answer)
        if total > longest and kept:
            break
        kept += 1
    if kept == len(conversation.exchanges):
        return conversation
    exchanges = conversation.exchanges[:kept]
    return replace(conversation, exchanges=exchanges, truths=(exchanges[-1][1],))


def drawn(items: Sequence[Item], size: int, seed: int, name: str) -> list[Item]:
    """Return a random sample of ``size`` items in their order; seed and name alone decide which."""
    if size > len(items):
        raise VisatbError(f"{name}: {size} samples are wanted, but there are {len(items)}; lower the number")
    return [items[row] for row in sorted(subset_rows(len(items), size, seed, name))]


def parted(items: Sequence[Item], sizes: Sequence[int], seed: int, name: str) -> list[list[Item]]:
    """Return disjoint random samples of the given sizes and, last, the rest; each in the order of ``items``."""
    if sum(sizes) > len(items):
        raise VisatbError(f"{name}: {sum(sizes)} samples are to be held out, but there are {len(items)}")
    rows = subset_rows(len(items), len(items), seed, name)
    bounds = [*accumulate(sizes, initial=0), len(items)]
    return [[items[row] for row in sorted(rows[start:end])] for start, end in pairwise(bounds)]


def with_unique_ids(conversations: Iterable[Conversation]) -> list[Conversation]:
    """Give a conversation whose id was there before the ending ``-2``, ``-3``, ... that makes it unique."""
    conversations = list(conversations)
    taken, used, unique = {c.id for c in conversations}, dict[str, int](), []
    for conversation in conversations:
        number = used.get(conversation.id, 0) + 1
        name = conversation.id
        while number > 1 and (name := f"{conversation.id}-{number}") in taken:
            number += 1
        used[conversation.id] = number
        taken.add(name)
        unique.append(conversation if number == 1 else replace(conversation, id=name))
    return unique
