"""The transformers Trainer with the weighted loss of Eq. 2 (VITW), normalised over the whole optimiser step."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import Trainer

from visatb.errors import VisatbError
from visatb.training.collator import IGNORED, NO_TASK
from visatb.training.weighting import Vector, Weighting


@contextmanager
def head_sees_only(model: nn.Module, positions: torch.Tensor) -> Iterator[None]:
    """Let the output head work on ``positions`` [samples, tokens] (bool) alone: logits are [positions, vocabulary]."""
    head = model.get_output_embeddings()
    handle = head.register_forward_pre_hook(lambda _, arguments: (arguments[0][positions], *arguments[1:]))
    try:
        yield
    finally:
        handle.remove()


class VitwTrainer(Trainer):
    """Minimises sum_k lambda_task(k) nll_k / sum_k lambda_task(k) over the supervised tokens of an optimiser step.

    Both sums run over all ranks and all gradient-accumulation micro-batches, however the step is split. With
    ``normalization="micro_batch"`` they run over one rank's micro-batch instead, as in the authors' code.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *args: Any,
        tasks: Sequence[str],
        weighting: Weighting,
        normalization: Literal["step", "micro_batch"] = "step",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.tasks = list(tasks)
        self.weighting = weighting
        self.normalization = normalization
        self.unsupervised_samples = 0
        self.step_has_tokens = True
        self._coefficients: Vector = np.zeros(len(self.tasks))
        self._micro_batches = 1
        self._nll_sums = torch.zeros(len(self.tasks), dtype=torch.float64, device=self.args.device)
        self._token_counts = torch.zeros_like(self._nll_sums)

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | int | None:
        """Count the coming step's supervised tokens per task, over micro-batches and ranks; fix its coefficients."""
        if batch_samples:
            self._ignore_repeats(batch_samples[-1])
        self.unsupervised_samples += sum(_unsupervised(batch) for batch in batch_samples)
        local = sum((self._count_tokens(batch) for batch in batch_samples), np.zeros(len(self.tasks)))
        counts = self._sum_over_ranks(local)
        self._coefficients = self.weighting.coefficients(counts)
        self.step_has_tokens = bool(counts.sum())
        self._micro_batches = max(1, len(batch_samples))
        return torch.tensor(counts.sum(), device=device)

    def _ignore_repeats(self, last: dict[str, torch.Tensor]) -> None:
        """Unsupervise the samples that accelerate repeats at the end of an epoch to give all ranks as many."""
        size = self.args.train_batch_size
        real = len(self.train_dataset) % (size * self.args.world_size)
        if self.args.world_size == 1 or real == 0 or not self.accelerator.gradient_state.end_of_dataloader:
            return
        own = max(0, real - self.args.process_index * size)
        last["labels"][own:] = IGNORED
        last["task_ids"][own:] = NO_TASK

    def _count_tokens(self, batch: dict[str, torch.Tensor]) -> Vector:
        supervised = batch["labels"][:, 1:] != IGNORED
        return torch.bincount(batch["task_ids"][:, 1:][supervised].cpu(), minlength=len(self.tasks)).double().numpy()

    def _sum_over_ranks(self, values: Vector) -> Vector:
        if self.args.world_size == 1:
            return values
        tensor = torch.tensor(values, dtype=torch.float64, device=self.args.device)
        return self.accelerator.reduce(tensor, reduction="sum").cpu().numpy()

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: torch.Tensor | int | None = None
    ) -> torch.Tensor:
        """Pass over the micro-batches of a step without any supervised token, which leaves the model as it is.

        An optimiser does nothing to parameters without gradients, but zeros would let Adam's momentum and the weight
        decay move them. DeepSpeed takes its optimiser's steps within the backward pass that is left out here.
        """
        if self.step_has_tokens:
            return super().training_step(model, inputs, num_items_in_batch)
        return torch.zeros((), device=self.args.device)

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> Any:
        """Return this micro-batch's part of the step's loss, times the number of ranks, which average gradients."""
        model_inputs = {key: value for key, value in inputs.items() if key not in ("labels", "task_ids")}
        targets = inputs["labels"][:, 1:]
        supervised = targets != IGNORED
        with head_sees_only(self.accelerator.unwrap_model(model), F.pad(supervised, (0, 1))):
            outputs = model(**model_inputs, use_cache=False)
        nll = F.cross_entropy(outputs.logits.float(), targets[supervised], reduction="none")
        task_ids = inputs["task_ids"][:, 1:][supervised]
        loss = (self._token_coefficients(inputs).to(nll.device)[task_ids] * nll).sum()
        self._note(nll.detach(), task_ids)
        return (loss, outputs) if return_outputs else loss

    def _token_coefficients(self, inputs: dict[str, Any]) -> torch.Tensor:
        if self.normalization == "micro_batch":
            coefficients = self.weighting.coefficients(self._count_tokens(inputs)) / self._micro_batches
        else:
            coefficients = self._coefficients * self.accelerator.num_processes
        return torch.tensor(coefficients, dtype=torch.float32)

    def _note(self, nll: torch.Tensor, task_ids: torch.Tensor) -> None:
        self._nll_sums.index_add_(0, task_ids, nll.double())
        self._token_counts.index_add_(0, task_ids, torch.ones_like(nll, dtype=torch.float64))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add to the log the mean token loss of each task since the last one, the weights and the tokens seen."""
        if "loss" in logs:
            sums, counts = (
                self._sum_over_ranks(part.cpu().numpy().copy()) for part in (self._nll_sums, self._token_counts)
            )
            self._nll_sums.zero_()
            self._token_counts.zero_()
            seen = zip(self.tasks, sums, counts, strict=True)
            self._refuse_divergence(logs, sums)
            logs["task_loss"] = {task: float(total / count) for task, total, count in seen if count}  # type: ignore[assignment]
            logs["weights"] = dict(zip(self.tasks, self.weighting.weights().tolist(), strict=True))  # type: ignore[assignment]
            logs["tokens"] = float(counts.sum())
        super().log(logs, start_time)

    def _refuse_divergence(self, logs: dict[str, float], nll_sums: Vector) -> None:
        bad = [task for task, total in zip(self.tasks, nll_sums, strict=True) if not np.isfinite(total)]
        if bad or not np.isfinite(logs.get("grad_norm", 0.0)):
            raise VisatbError(
                f"step {self.state.global_step}: the training has diverged, "
                + (f"the loss of {', '.join(bad)} is" if bad else "the gradient's norm is")
                + " no finite number; lower the learning rate, or raise warmup"
            )

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
        model = model if model is not None else self.model
        if not os.path.isfile(os.path.join(resume_from_checkpoint, "config.json")):
            raise FileNotFoundError(f"{resume_from_checkpoint}: holds no config.json")
        restored = type(model).from_pretrained(resume_from_checkpoint, dtype=torch.float32)
        model.load_state_dict(restored.state_dict(), strict=True)


def _unsupervised(batch: dict[str, torch.Tensor]) -> int:
    silent = (batch["labels"][:, 1:] == IGNORED).all(dim=1) & (batch["task_ids"][:, 0] != NO_TASK)
    return int(silent.sum())
