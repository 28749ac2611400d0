"""Samples of a micro-batch one after another in one row, each attended to and learned from as if it stood alone."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from visatb.training.batches.collator import IGNORED, Collator, Sample, per_token

Batch = dict[str, torch.Tensor]
RopeIndex = Callable[..., tuple[torch.Tensor, Any]]
"""A model's own function from a padded batch to positions [3, samples, tokens], as Qwen2-VL has."""


@dataclass(frozen=True)
class PackingCollator:
    """A collator whose micro-batches are `packed`.

    Attributes:
        collator: makes padded batches.
        rope_index: of models that have more than one position for a token (`visatb.models.families.rope_index`).
    """

    collator: Collator
    rope_index: RopeIndex | None = None

    def __call__(self, samples: Sequence[Sample]) -> Batch:
        """Return the packed batch of ``samples``; errors are the collator's."""
        return packed(self.collator(samples), self.rope_index)


def packed(batch: Batch, rope_index: RopeIndex | None = None) -> Batch:
    """Return a right-padded batch with its samples one after another in one row, without padding or ``attention_mask``.

    ``position_ids`` [1, tokens] begin at 0 with each sample, by which attention tells samples apart
    (`visatb.training.batches.attention`; flash attention in transformers does it too, where there is no cache). With
    ``rope_index`` they are [4, 1, tokens]: these, and the model's own. ``sample_ids`` [1, tokens] tell which sample a
    token is of. The first token of a sample is no label, since labels are shifted by one.

    Args:
        batch: of `visatb.training.batches.collator.Collator`, one row a sample.
        rope_index: positions of models that have more than one for a token.
    """
    real = batch["attention_mask"].bool()
    of_tokens = per_token(batch)
    rest = {key: value for key, value in batch.items() if key not in of_tokens}
    result = {key: batch[key][real][None] for key in of_tokens if key != "attention_mask"}
    positions = (real.cumsum(dim=1) - 1)[real][None]
    result["labels"][positions == 0] = IGNORED
    result["sample_ids"] = real.nonzero()[:, 0][None]
    result["position_ids"] = positions
    if rope_index is not None:
        result["position_ids"] = torch.cat([positions[None], _rope(batch, rope_index)[:, real][:, None]])
    return rest | result


def _rope(batch: Batch, rope_index: RopeIndex) -> torch.Tensor:
    names = ("input_ids", "mm_token_type_ids", "image_grid_thw", "attention_mask")
    return rope_index(**{name: batch[name] for name in names if name in batch})[0]
