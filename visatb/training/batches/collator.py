"""From samples to padded tensors: chat template, image processor and the mask of supervised tokens."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

import numpy as np
import torch
from PIL import Image
from transformers import ProcessorMixin

from visatb.data.chat import chat_messages, open_image
from visatb.errors import VisatbError
from visatb.training.l2t.instructions import Instructions, learned_instructions

IGNORED = -100
NO_TASK = -1
BLANK_SIDE = 64
BLANK = Image.new("RGB", (BLANK_SIDE, BLANK_SIDE), (127, 127, 127))


class Sample(TypedDict):
    """One training sample: LLaVA-format turns, an image (opened, or its path) or none, and its task."""

    conversations: list[dict[str, str]]
    image: Image.Image | str | None
    task: str


def per_token(batch: Mapping[str, torch.Tensor]) -> list[str]:
    """Return the keys of what a batch holds of each token, [samples, tokens]."""
    # Image inputs are no whole numbers: their shape may be that of the tokens by chance.
    shape = batch["input_ids"].shape
    return [
        key
        for key, value in batch.items()
        if value.shape == shape and (key == "token_weights" or not value.is_floating_point())
    ]


class Collator:
    """Makes one micro-batch, right-padded.

    The batch holds ``input_ids``, ``attention_mask``, the model's image inputs, ``labels`` (``IGNORED`` outside the
    assistant's answers and their end-of-turn tokens) and ``task_ids``, the last two of shape [samples, tokens].
    With ``always_an_image`` a micro-batch of texts alone gets one more row, a blank image of which nothing is
    supervised and whose task is ``NO_TASK``: ranks that share gradients or parameters must all use the vision tower,
    and Adam treats a gradient of zero otherwise than none at all, which would depend on how a step is split.
    With ``instructions`` (L2T) what they keep of the human turns is supervised too, and the batch holds
    ``token_weights`` [samples, tokens]: 1 on responses, their weight on these tokens.
    """

    def __init__(
        self,
        processor: ProcessorMixin,
        tasks: Sequence[str],
        max_length: int,
        always_an_image: bool = False,
        instructions: Instructions | None = None,
    ) -> None:
        self._processor = processor
        self._tasks = list(tasks)
        self._max_length = max_length
        self._always_an_image = always_an_image
        self._instructions = instructions

    def __call__(self, samples: Sequence[Sample]) -> dict[str, torch.Tensor]:
        """Return the batch of ``samples``.

        Raises:
            VisatbError: an image cannot be opened or does not fit into ``max_length`` tokens, or a text holds the
                model's own image token.
        """
        messages = [self._messages(sample) for sample in samples]
        task_ids = [self._tasks.index(sample["task"]) for sample in samples]
        if self._always_an_image and all(sample["image"] is None for sample in samples):
            messages.append(chat_messages([{"from": "human", "value": ""}], BLANK))
            task_ids.append(NO_TASK)
        batch = self._padded(messages)
        supervised = batch.pop("assistant_masks").bool() & batch["attention_mask"].bool()
        if self._instructions:
            learned = self._learned(messages, len(samples), batch["input_ids"], self._instructions)
            batch["token_weights"] = supervised.float() + learned.float() * self._instructions.weight
            supervised |= batch["token_weights"] > 0
        batch["labels"] = batch["input_ids"].masked_fill(~supervised, IGNORED)
        batch["task_ids"] = torch.tensor(task_ids)[:, None].expand_as(batch["labels"]).contiguous()
        return self._cut(batch)

    def _padded(self, messages: Sequence[list[dict[str, Any]]]) -> dict[str, torch.Tensor]:
        # As tensors only now: the processor looks for supervised tokens one by one, for which lists are far faster.
        lists = self._processor.apply_chat_template(
            messages,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            return_tensors=None,
            processor_kwargs={"padding": True, "padding_side": "right"},
        )
        return {key: torch.from_numpy(np.asarray(value)) for key, value in lists.items()}

    def _learned(
        self, messages: Sequence[list[dict[str, Any]]], samples: int, tokens: torch.Tensor, instructions: Instructions
    ) -> torch.Tensor:
        """Return which tokens are kept instruction tokens; a row beyond the samples has none."""
        learned = torch.zeros_like(tokens, dtype=torch.bool)
        for row in range(samples):
            learned[row] = learned_instructions(self._processor, messages[row], instructions, tokens[row])
        return learned

    def _messages(self, sample: Sample) -> list[dict[str, Any]]:
        image = sample["image"]
        messages = chat_messages(sample["conversations"], None if image is None else open_image(image))
        token = self._processor.image_token
        texts = (part["text"] for message in messages for part in message["content"] if part["type"] == "text")
        for text in texts:
            if token in text:
                raise VisatbError(
                    f"task '{sample['task']}': the text {text[:80]!r} holds {token}, by which the model marks an "
                    "image; take it out of the records"
                )
        return messages

    def _cut(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        tokens = batch["input_ids"]
        if tokens.shape[1] <= self._max_length:
            return batch
        self._refuse_cut_images(batch)
        of_tokens = per_token(batch)
        return {key: value[:, : self._max_length] if key in of_tokens else value for key, value in batch.items()}

    def _refuse_cut_images(self, batch: dict[str, torch.Tensor]) -> None:
        of_image = batch["input_ids"] == self._processor.image_token_id
        for row in of_image[:, self._max_length :].any(dim=1).nonzero().flatten().tolist():
            needed = int(of_image[row].nonzero().max()) + 1
            task_id = int(batch["task_ids"][row, 0])
            where = "a blank image" if task_id == NO_TASK else f"task '{self._tasks[task_id]}'"
            raise VisatbError(
                f"{where}: the image of a sample ends at token {needed}, but max_length is {self._max_length}; "
                "raise max_length, or shorten the text before the image"
            )
