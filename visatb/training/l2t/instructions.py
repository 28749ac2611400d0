"""Which tokens of an instruction are learned (L2T): those that say something about the image.

System prompt, role markers, image tokens and task templates are left out. Spans of characters become tokens by the
tokenizer's offsets; no piece is tokenised by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import ProcessorMixin

from visatb.errors import VisatbError
from visatb.training.l2t.sentences import Span, kept_spans, tokens_within

Messages = Sequence[Mapping[str, Any]]
RESPONSE, INSTRUCTION, TEMPLATE, TEXT_ONLY, FORMAT, IMAGE = range(6)
CATEGORIES = ("response", "instruction", "template", "text_only", "system_and_roles", "image")


@dataclass(frozen=True)
class Instructions:
    """What of the instructions is learned.

    Attributes:
        weight: a kept instruction token's share of its task's weight; 1 on the response.
        templates: sentences that are left out.
        text_only: instructions without an image are learned as well.
    """

    weight: float = 1.0
    templates: frozenset[str] = field(default_factory=frozenset)
    text_only: bool = False

    def description(self) -> dict[str, Any]:
        """Return what a training's result depends on, as JSON values."""
        return {
            "objective": "l2t",
            "instruction_weight": self.weight,
            "templates": sorted(self.templates),
            "text_only": self.text_only,
        }


@dataclass(frozen=True)
class Rendered:
    """A conversation as the chat template writes it, an image being one mark.

    Attributes:
        text: the whole text.
        tokens: its tokens, shape [tokens].
        offsets: the characters of each one.
        questions: the spans of the human turns' own texts.
        answers: whether each token belongs to an answer, its end-of-turn token included.
    """

    text: str
    tokens: list[int]
    offsets: list[Span]
    questions: list[Span]
    answers: list[bool]


def render(processor: ProcessorMixin, messages: Messages) -> Rendered:
    """Return a conversation as text and tokens, and where its human turns are in it.

    Where a turn's text stands follows from writing the conversation once more with other texts: what is around them
    stays.

    Raises:
        VisatbError: the chat template changes the texts of turns.
    """
    tokenizer, template = processor.tokenizer, processor.chat_template
    text = tokenizer.apply_chat_template(list(messages), chat_template=template, tokenize=False)
    encoded = tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    masked = tokenizer.apply_chat_template(
        list(messages), chat_template=template, return_dict=True, return_assistant_tokens_mask=True
    )
    if masked["input_ids"] != encoded["input_ids"]:
        raise VisatbError(
            "the tokenizer gives other tokens with a chat template than without; l2t cannot be used with it"
        )
    return Rendered(
        text,
        encoded["input_ids"],
        [(start, end) for start, end in encoded["offset_mapping"]],
        _question_spans(processor, messages, text),
        [bool(mark) for mark in masked["assistant_masks"]],
    )


def _question_spans(processor: ProcessorMixin, messages: Messages, text: str) -> list[Span]:
    marks = [f"\ue000{number}\ue001" for number in range(len(messages))]
    marked = [_with_text(message, mark) for message, mark in zip(messages, marks, strict=True)]
    frame = processor.tokenizer.apply_chat_template(marked, chat_template=processor.chat_template, tokenize=False)
    spans, position = [], 0
    for message, mark in zip(messages, marks, strict=True):
        before, _, frame = frame.partition(mark)
        start = position + len(before)
        position = start + len(_text(message))
        if text[start - len(before) : position] != before + _text(message):
            raise VisatbError("the chat template changes the texts that it is given; l2t cannot be used with it")
        if message["role"] == "user":
            spans.append((start, position))
    return spans


def _text(message: Mapping[str, Any]) -> str:
    return "".join(part["text"] for part in message["content"] if part["type"] == "text")


def _with_text(message: Mapping[str, Any], text: str) -> dict[str, Any]:
    images = [{"type": "image"} for part in message["content"] if part["type"] == "image"]
    return {"role": message["role"], "content": [*images, {"type": "text", "text": text}]}


def categories(rendered: Rendered, instructions: Instructions, image_token_id: int) -> list[int]:
    """Return what each token is, by its place in `CATEGORIES`."""
    has_image = image_token_id in rendered.tokens
    kept = [
        (start + first, start + last)
        for start, end in rendered.questions
        for first, last in kept_spans(rendered.text[start:end], instructions.templates)
    ]
    is_kept = tokens_within(rendered.text, rendered.offsets, kept)
    in_question = tokens_within(rendered.text, rendered.offsets, rendered.questions)
    return [
        IMAGE
        if token == image_token_id
        else RESPONSE
        if answer
        else (INSTRUCTION if has_image or instructions.text_only else TEXT_ONLY)
        if keep
        else TEMPLATE
        if question
        else FORMAT
        for token, answer, keep, question in zip(rendered.tokens, rendered.answers, is_kept, in_question, strict=True)
    ]


def learned_instructions(
    processor: ProcessorMixin, messages: Messages, instructions: Instructions, tokens: torch.Tensor
) -> torch.Tensor:
    """Return which of ``tokens`` (int, shape [tokens], padding behind) are kept instruction tokens; bool, same shape.

    Raises:
        VisatbError: the tokens are not those of the conversation with each image's mark repeated.
    """
    rendered = render(processor, [_with_text(message, _text(message)) for message in messages])
    image = processor.image_token_id
    repeats = int((tokens == image).sum()) // max(1, rendered.tokens.count(image))
    counts = torch.tensor([repeats if token == image else 1 for token in rendered.tokens])
    whole = torch.tensor(rendered.tokens).repeat_interleave(counts)
    if not torch.equal(whole, tokens[: len(whole)].cpu()):
        raise VisatbError("the processor gives other tokens than its tokenizer; l2t cannot be used with this model")
    of_instruction = torch.tensor(categories(rendered, instructions, image)) == INSTRUCTION
    learned = torch.zeros(len(tokens), dtype=torch.bool)
    learned[: len(whole)] = of_instruction.repeat_interleave(counts)
    return learned
