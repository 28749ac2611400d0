"""How many tokens a model reads of each record, told apart by what they are, without opening a picture's pixels.

The very processor of the training is asked; only the picture's size is read, and nothing is put through the model.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from PIL import Image
from transformers import AutoModelForImageTextToText, PretrainedConfig, ProcessorMixin
from transformers.utils.chat_template_utils import render_jinja_template

from visatb.data.chat import chat_messages, height_and_width
from visatb.models.families import freeze
from visatb.planning.token_ledger import PARTS
from visatb.training.batches.collator import BLANK_SIDE

OPEN, CLOSE = "\ue000", "\ue001"
"""Private characters around what people said, to find it again in the text that a template makes."""

CHUNK = 512
IMAGE, SUPERVISED, INSTRUCTION, TEMPLATE = range(4)


@dataclass(frozen=True)
class _Rendered:
    text: str
    human: list[tuple[int, int]]
    """Characters of the human turns."""
    learned: list[tuple[int, int]]
    """Characters between the template's marks: answers and their ends."""


class TokenCounter:
    """Counts what `visatb.training.batches.collator.Collator` makes of samples, given the sizes of their pictures."""

    def __init__(self, processor: ProcessorMixin, max_length: int) -> None:
        self._processor = processor
        self._max_length = max_length

    def count(self, records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
        """Return a row a record: `PARTS`, their sum ``tokens``, and whether it has an image and is cut.

        ``records`` have ``conversations`` and ``image``, a path or None. Tokens after ``max_length`` are not counted.
        """
        starts = range(0, len(records), CHUNK)
        rows = [row for start in starts for row in self._rows(records[start : start + CHUNK])]
        columns = [*PARTS, "has_image", "is_cut"]
        table = pd.DataFrame(rows, columns=columns).astype(dict.fromkeys(PARTS, int))
        return table.assign(tokens=table[list(PARTS)].sum(axis=1))

    def blank_row(self) -> int:
        """Return the tokens of the blank picture that a micro-batch of texts alone gets beside its samples."""
        blank = {"conversations": [{"from": "human", "value": ""}], "image": None}
        counted = next(self._rows([blank], sizes=[(BLANK_SIDE, BLANK_SIDE)]))
        return int(sum(counted[: len(PARTS)]))

    def answer_tokens(self, texts: Sequence[str]) -> np.ndarray:
        """Return the tokens of each text as an answer, its end included."""
        encoded = self._processor.tokenizer(list(texts), add_special_tokens=False)["input_ids"]
        return np.array([len(tokens) + 1 for tokens in encoded], dtype=int)

    def _rows(
        self, records: Sequence[Mapping[str, Any]], sizes: Sequence[tuple[int, int] | None] | None = None
    ) -> Iterator[tuple[Any, ...]]:
        sizes = [height_and_width(record["image"]) for record in records] if sizes is None else sizes
        rendered = [self._render(record["conversations"], size) for record, size in zip(records, sizes, strict=True)]
        pictures = iter(self._image_tokens([size for size in sizes if size]))
        tokenizer = self._processor.tokenizer
        texts = [conversation.text for conversation in rendered]
        # As the processor does it: a template may write the first token itself.
        writes_first = tokenizer.bos_token is not None and texts[0].startswith(tokenizer.bos_token)
        encoded = tokenizer(texts, return_offsets_mapping=True, add_special_tokens=not writes_first)
        for conversation, size, tokens, offsets in zip(
            rendered, sizes, encoded["input_ids"], encoded["offset_mapping"], strict=True
        ):
            image_tokens = next(pictures) if size else 0
            yield self._counted(
                conversation, np.array(tokens), np.array(offsets).reshape(-1, 2), image_tokens, size is not None
            )

    def _render(self, conversations: Sequence[dict[str, str]], size: tuple[int, int] | None) -> _Rendered:
        picture = None if size is None else Image.new("1", (1, 1))
        messages = chat_messages(conversations, picture)
        for message in messages:
            for part in message["content"]:
                if message["role"] == "user" and part["type"] == "text":
                    part["text"] = f"{OPEN}{part['text']}{CLOSE}"
        texts, marked = render_jinja_template(
            conversations=[messages],
            chat_template=self._processor.chat_template,
            return_assistant_tokens_mask=True,
            **self._processor.tokenizer.special_tokens_map,
        )
        return _without_marks(texts[0], marked[0])

    def _image_tokens(self, sizes: list[tuple[int, int]]) -> list[int]:
        if not sizes:
            return []
        return list(self._processor._get_num_multimodal_tokens(image_sizes=sizes)["num_image_tokens"])

    def _counted(
        self, rendered: _Rendered, tokens: np.ndarray, offsets: np.ndarray, image_tokens: int, has_image: bool
    ) -> tuple[Any, ...]:
        kinds = np.full(len(tokens), TEMPLATE)
        kinds[_overlapping(offsets, rendered.human)] = INSTRUCTION
        kinds[_overlapping(offsets, rendered.learned)] = SUPERVISED
        is_image = (tokens == self._processor.image_token_id) & has_image
        kinds[is_image] = IMAGE
        lengths = np.where(is_image, image_tokens, 1)
        ends = np.cumsum(lengths)
        if kinds[0] == SUPERVISED:
            kinds[0] = TEMPLATE  # nothing comes before the first token that it could be predicted from
        kept = np.clip(self._max_length - (ends - lengths), 0, lengths)
        sums = np.bincount(kinds, weights=kept, minlength=4)
        return (*(int(sums[kind]) for kind in _ORDER), has_image, bool(ends[-1] > self._max_length))


_ORDER = tuple({"supervised": SUPERVISED, "instruction": INSTRUCTION, "template": TEMPLATE, "image": IMAGE}.values())


def _without_marks(text: str, learned: Sequence[Sequence[int]]) -> _Rendered:
    marks = np.array([number for number, letter in enumerate(text) if letter in (OPEN, CLOSE)], dtype=int)
    places = [int(mark - number) for number, mark in enumerate(marks)]
    shifted = [tuple(int(end - np.searchsorted(marks, end)) for end in span) for span in learned]
    return _Rendered(
        text.replace(OPEN, "").replace(CLOSE, ""),
        list(zip(places[::2], places[1::2], strict=True)),
        [(span[0], span[1]) for span in shifted],
    )


def _overlapping(offsets: np.ndarray, spans: Sequence[tuple[int, int]]) -> np.ndarray:
    """Return which tokens share a character with a span."""
    overlaps = np.zeros(len(offsets), dtype=bool)
    for start, end in spans:
        overlaps |= (offsets[:, 0] < end) & (offsets[:, 1] > start)
    return overlaps


@dataclass(frozen=True)
class ModelSize:
    """Parameters of a model, and those of them that are trained."""

    parameters: int
    trained: int


def model_size(config: PretrainedConfig, frozen: Sequence[str]) -> ModelSize:
    """Return the size of the model that ``config`` describes; no weights are made or read."""
    with torch.device("meta"):
        model = AutoModelForImageTextToText.from_config(config)
    freeze(model, frozen)
    return ModelSize(
        sum(parameter.numel() for parameter in model.parameters()),
        sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
    )
