"""From samples to padded tensors: chat template, image processor and the mask of supervised tokens."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import torch
from PIL import Image
from transformers import ProcessorMixin

from visatb.errors import VisatbError

IGNORED = -100
ROLES = {"human": "user", "gpt": "assistant", "system": "system"}


class Sample(TypedDict):
    """One training sample: LLaVA-format turns, an image (opened, or its path) or none, and its task."""

    conversations: list[dict[str, str]]
    image: Image.Image | str | None
    task: str


def open_image(image: Image.Image | str | Path) -> Image.Image:
    """Return the image in RGB.

    Raises:
        VisatbError: naming a file that is missing or no image.
    """
    if isinstance(image, Image.Image):
        return image.convert("RGB")
    try:
        with Image.open(image) as opened:
            return opened.convert("RGB")
    except (OSError, Image.DecompressionBombError) as error:
        raise VisatbError(f"{image}: cannot be opened as an image ({error})") from error


def chat_messages(conversations: Sequence[dict[str, str]], image: Image.Image | None) -> list[dict[str, Any]]:
    """Return LLaVA-format turns as chat-template messages, the image before the text of the first human turn."""
    messages = []
    for turn in conversations:
        content: list[dict[str, Any]] = [{"type": "text", "text": turn["value"].replace("<image>", "").strip()}]
        if image is not None and turn["from"] == "human":
            content.insert(0, {"type": "image", "image": image})
            image = None
        messages.append({"role": ROLES[turn["from"]], "content": content})
    return messages


class Collator:
    """Makes one micro-batch, right-padded.

    The batch holds ``input_ids``, ``attention_mask``, the model's image inputs, ``labels`` (``IGNORED`` outside the
    assistant's answers and their end-of-turn tokens) and ``task_ids``, the last two of shape [samples, tokens].
    """

    def __init__(self, processor: ProcessorMixin, tasks: Sequence[str], max_length: int) -> None:
        self._processor = processor
        self._task_ids = {task: number for number, task in enumerate(tasks)}
        self._max_length = max_length

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Return the batch of ``samples``."""
        batch = dict(
            self._processor.apply_chat_template(
                [_messages(sample) for sample in samples],
                tokenize=True,
                return_dict=True,
                return_assistant_tokens_mask=True,
                return_tensors="pt",
                processor_kwargs={"padding": True, "padding_side": "right"},
            )
        )
        supervised = torch.as_tensor(batch.pop("assistant_masks")).bool() & batch["attention_mask"].bool()
        batch["labels"] = batch["input_ids"].masked_fill(~supervised, IGNORED)
        task_ids = torch.tensor([self._task_ids[sample["task"]] for sample in samples])
        batch["task_ids"] = task_ids[:, None].expand_as(batch["labels"]).contiguous()
        return self._cut(batch)

    def _cut(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        width = batch["input_ids"].shape[1]
        if width <= self._max_length:
            return batch
        per_token = {key for key, value in batch.items() if value.dim() == 2 and value.shape[1] == width}
        return {key: value[:, : self._max_length] if key in per_token else value for key, value in batch.items()}


def _messages(sample: Sample) -> list[dict[str, Any]]:
    image = sample["image"]
    return chat_messages(sample["conversations"], None if image is None else open_image(image))
