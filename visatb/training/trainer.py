"""The Trainer of the workflow: the weighted loss, a weighting that is part of its checkpoints, and their restoring."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import nn
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from visatb.runtime.files import read_json, write_json
from visatb.training.loss.mixin import WeightedLossMixin
from visatb.training.loss.weighting import StepLoss, Weighting

WEIGHTING_STATE = "weighting.json"


class VitwTrainer(WeightedLossMixin):
    """Trains with Eq. 2 (VITW) and goes on from checkpoints with the weighting as it was.

    Args:
        tasks: their names, in the order of the ``task_ids`` of batches.
        weighting: lambda, and what becomes of it.
        normalization: over what the loss is normalised.
    """

    def __init__(
        self,
        *args: Any,
        tasks: Sequence[str],
        weighting: Weighting,
        normalization: Literal["step", "micro_batch"] = "step",
        **kwargs: Any,
    ) -> None:
        weights = dict(zip(tasks, weighting.weights().tolist(), strict=True))
        super().__init__(*args, task_weights=weights, weighting=weighting, normalization=normalization, **kwargs)
        self._read_since_log = 0

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | int | None:
        """Note how many tokens this process will read in the coming step, padding included."""
        self._read_since_log += sum(batch["input_ids"].numel() for batch in batch_samples)
        return super()._get_num_items_in_batch(batch_samples, device)

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Return 0: for the Trainer's estimate, which nothing uses, all parameters would be counted at every step."""
        return 0

    def log_of_tasks(self, since: StepLoss) -> dict[str, Any]:
        """Return the mean token loss of each task that was seen, the weights, and tokens: supervised ones and all."""
        seen = zip(self.tasks, since.nll, since.tokens, strict=True)
        read, self._read_since_log = self._sum_over_ranks(np.array([self._read_since_log], dtype=float)), 0
        return {
            "task_loss": {task: float(total / count) for task, total, count in seen if count},
            "weights": dict(zip(self.tasks, self.weighting.weights().tolist(), strict=True)),
            "tokens": float(since.tokens.sum()),
            "input_tokens": int(read[0]),
        }

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> Any:
        """Train, from the beginning or with the weighting as it was at a checkpoint."""
        if isinstance(resume_from_checkpoint, str):
            self.weighting.load_state_dict(read_json(Path(resume_from_checkpoint) / WEIGHTING_STATE))
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        super()._save_checkpoint(model, trial)
        if self.is_world_process_zero():
            folder = Path(self._get_output_dir(trial=trial)) / f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}"
            write_json(folder / WEIGHTING_STATE, self.weighting.state_dict())

    def _save(self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None) -> None:
        """Save the model; of tied weights, which ZeRO-2 hands over as copies, only one is written."""
        if state_dict is not None:
            tied = self.model.all_tied_weights_keys
            state_dict = {name: value for name, value in state_dict.items() if name not in tied}
        super()._save(output_dir, state_dict)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        """Restore the weights by way of ``from_pretrained``.

        The Trainer's own loading compares raw key names, which differ from the model's for architectures whose
        checkpoints keep the hub's names; it then restores nothing and only warns.
        """
        own: Any = model if model is not None else self.model
        if not os.path.isfile(os.path.join(resume_from_checkpoint, "config.json")):
            raise FileNotFoundError(f"{resume_from_checkpoint}: holds no config.json")
        restored = type(own).from_pretrained(resume_from_checkpoint, dtype=torch.float32)
        own.load_state_dict(restored.state_dict(), strict=True)
