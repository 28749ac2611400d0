"""Samples of a micro-batch one after another in few rows, each attended to and learned from as if it stood alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from transformers import PreTrainedModel, ProcessorMixin

from visatb.layouts import layout_of
from visatb.row_packing import deal_into_rows
from visatb.training.collator import IGNORED, NO_TASK, Collator, Sample, per_token
from visatb.training.models import rope_index

NO_SAMPLE = -1
_FILLERS = {"labels": IGNORED, "task_ids": NO_TASK}

Batch = dict[str, torch.Tensor]
RopeIndex = Callable[..., tuple[torch.Tensor, Any]]
"""A model's own function from a padded batch to positions [3, samples, tokens], as Qwen2-VL has."""


@dataclass(frozen=True)
class PackingCollator:
    """A collator whose micro-batches are `packed`.

    Attributes:
        collator: makes padded batches.
        image_token: stands for an image in ``input_ids``.
        filler_token: what rows are filled up with.
        one_row: whether all samples come in one row, see `visatb.layouts.layout_of`.
        rope_index: positions of models that have more than one for a token.
    """

    collator: Collator
    image_token: int
    filler_token: int
    one_row: bool = False
    rope_index: RopeIndex | None = None

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """Return the packed batch of ``samples``; errors are the collator's."""
        batch = self.collator(samples)
        return packed(batch, self.image_token, self.filler_token, self.one_row, self.rope_index)


def packing_collator(
    collator: Collator, processor: ProcessorMixin, model: PreTrainedModel, attention: str
) -> PackingCollator:
    """Return the collator that packs what ``collator`` makes, for ``model`` with an implementation of attention."""
    return PackingCollator(
        collator,
        image_token=processor.image_token_id,
        filler_token=processor.tokenizer.pad_token_id,
        one_row=layout_of(True, attention) == "one_row",
        rope_index=rope_index(model),
    )


def packed(
    batch: Batch, image_token: int, filler_token: int, one_row: bool = False, rope_index: RopeIndex | None = None
) -> Batch:
    """Return a right-padded batch with its samples in few rows and no ``attention_mask``.

    ``position_ids`` [rows, tokens] begin at 0 with each sample, by which transformers tells samples apart as long as
    there is no cache: attention does not reach from one into another. With ``rope_index`` they are
    [4, rows, tokens]: these, and the model's own. ``sample_ids`` [rows, tokens] tell which sample a token is of;
    what fills rows up is `NO_SAMPLE`, a sequence of its own of which nothing is learned. The first token of a sample is
    no label, since labels are shifted by one. Image inputs come in the order of the rows.

    Args:
        batch: of `visatb.training.collator.Collator`, one row a sample, at most one image in each.
        image_token: stands for an image in ``input_ids``.
        filler_token: what rows are filled up with.
        one_row: whether all samples come in one row; else in as many as `visatb.row_packing.deal_into_rows` makes.
        rope_index: positions of models that have more than one for a token.
    """
    lengths = batch["attention_mask"].sum(dim=1).numpy()
    dealt = deal_into_rows(lengths[None], one_row)[0][0]
    rows = [np.flatnonzero(dealt == row) for row in range(dealt.max() + 1)]
    sources, positions = _places(rows, lengths, batch["input_ids"].shape[1])
    is_filler = sources < 0
    fillers = _FILLERS | {"input_ids": filler_token}
    result = {
        key: batch[key].flatten()[sources].masked_fill(is_filler, fillers.get(key, 0))
        for key in per_token(batch)
        if key != "attention_mask"
    }
    result["labels"][positions == 0] = IGNORED
    result["sample_ids"] = (sources // batch["input_ids"].shape[1]).masked_fill(is_filler, NO_SAMPLE)
    result["position_ids"] = positions
    if rope_index is not None:
        of_model = _rope(batch, rope_index).flatten(1)[:, sources]
        result["position_ids"] = torch.cat([positions[None], torch.where(is_filler, positions, of_model)])
    return result | _images(batch, np.concatenate(rows), image_token)


def _places(rows: list[np.ndarray], lengths: np.ndarray, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return where in the flat padded batch each token stands, -1 for fillers, and its position in its sample."""
    longest = max(lengths[row].sum() for row in rows)
    sources, positions = np.full((len(rows), longest), -1), np.zeros((len(rows), longest), dtype=int)
    for number, row in enumerate(rows):
        own = np.concatenate([np.arange(lengths[sample]) for sample in row])
        sources[number, : len(own)] = np.repeat(row * width, lengths[row]) + own
        positions[number] = np.concatenate([own, np.arange(longest - len(own))])
    return torch.from_numpy(sources), torch.from_numpy(positions)


def _rope(batch: Batch, rope_index: RopeIndex) -> torch.Tensor:
    names = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
    return rope_index(**{name: batch[name] for name in names if name in batch})[0]


def _images(batch: Batch, order: np.ndarray, image_token: int) -> Batch:
    if "pixel_values" not in batch:
        return {}
    has_image = (batch["input_ids"] == image_token).any(dim=1).numpy()
    images = torch.from_numpy((has_image.cumsum() - 1)[order[has_image[order]]])
    if "image_grid_thw" not in batch:
        return {"pixel_values": batch["pixel_values"][images]}
    grids = batch["image_grid_thw"]
    patches = batch["pixel_values"].split(grids.prod(dim=1).tolist())
    return {"pixel_values": torch.cat([patches[image] for image in images]), "image_grid_thw": grids[images]}
