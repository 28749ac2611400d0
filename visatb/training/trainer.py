"""The transformers Trainer with the weighted loss of Eq. 2 (VITW), normalised over the whole optimiser step."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NoReturn

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR

from visatb.errors import VisatbError
from visatb.files import read_json, write_json
from visatb.training.collator import IGNORED, NO_TASK
from visatb.training.weighting import StepLoss, Vector, Weighting

WEIGHTING_STATE = "weighting.json"


@contextmanager
def head_sees_only(model: nn.Module, positions: torch.Tensor) -> Iterator[None]:
    """Let the output head work on ``positions`` [samples, tokens] (bool) alone: logits are [positions, vocabulary]."""
    head = model.get_output_embeddings()
    handle = head.register_forward_pre_hook(lambda _, arguments: (arguments[0][positions], *arguments[1:]))
    try:
        yield
    finally:
        handle.remove()


class _Steps(TrainerCallback):
    """Ends each step for its weighting."""

    def __init__(self, trainer: "VitwTrainer") -> None:
        self._trainer = trainer

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Hand the step's losses on, before a checkpoint is written."""
        self._trainer.end_step(state.global_step - 1)


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
        self._counts: Vector = np.zeros(len(self.tasks))
        self._coefficients: Vector | None = None
        self._micro_batches = 1
        self._nll_sums = torch.zeros(len(self.tasks), dtype=torch.float64, device=self.args.device)
        self._since_log = StepLoss(np.zeros(len(self.tasks)), np.zeros(len(self.tasks)))
        self.add_callback(_Steps(self))

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> torch.Tensor | int | None:
        """Count the coming step's supervised tokens per task, over micro-batches and ranks; fix its coefficients.

        Weights that depend on the step's own losses are known after its forward pass. With one micro-batch a step
        that is the training's own; with several, whose gradients are taken one after the other, one is made before.
        """
        if batch_samples:
            self._ignore_repeats(batch_samples[-1])
        self.unsupervised_samples += sum(_unsupervised(batch) for batch in batch_samples)
        local = sum((self._count_tokens(batch) for batch in batch_samples), np.zeros(len(self.tasks)))
        self._counts = self._sum_over_ranks(local)
        self.step_has_tokens = bool(self._counts.sum())
        self._micro_batches = max(1, len(batch_samples))
        if not (self.step_has_tokens and self.weighting.needs_losses(self.state.global_step)):
            self._weigh_step(None)
        elif len(batch_samples) > 1:
            self._weigh_step(self._losses_before(batch_samples))
        else:
            self._coefficients = None
        return torch.tensor(self._counts.sum(), device=device)

    def _weigh_step(self, nll_sums: torch.Tensor | None) -> None:
        losses = None if nll_sums is None else self._step_loss(nll_sums)
        self.weighting.begin_step(self.state.global_step, losses)
        self._coefficients = self.weighting.coefficients(self._counts)

    def _step_loss(self, nll_sums: torch.Tensor) -> StepLoss:
        return StepLoss(self._sum_over_ranks(nll_sums.cpu().numpy().copy()), self._counts)

    @torch.no_grad()
    def _losses_before(self, micro_batches: Sequence[dict[str, Any]]) -> torch.Tensor:
        """Return this rank's sums of token losses [tasks] over the coming step, from a forward pass of its own."""
        sums = torch.zeros_like(self._nll_sums)
        for batch in micro_batches:
            with self.compute_loss_context_manager():
                nll, task_ids, _ = self._token_losses(self.model_wrapped, self._prepare_inputs(batch))
            sums.index_add_(0, task_ids, nll.double())
        return sums

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
        nll, task_ids, outputs = self._token_losses(model, inputs)
        self._nll_sums.index_add_(0, task_ids, nll.detach().double())
        if self._coefficients is None:
            self._weigh_step(self._nll_sums)
        loss = (self._token_coefficients(inputs).to(nll.device)[task_ids] * nll).sum()
        return (loss, outputs) if return_outputs else loss

    def _token_losses(self, model: nn.Module, inputs: dict[str, Any]) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """Return the loss and the task of each supervised token of a micro-batch, and the model's outputs."""
        model_inputs = {key: value for key, value in inputs.items() if key not in ("labels", "task_ids")}
        targets = inputs["labels"][:, 1:]
        supervised = targets != IGNORED
        with head_sees_only(self.accelerator.unwrap_model(model), F.pad(supervised, (0, 1))):
            outputs = model(**model_inputs, use_cache=False)
        nll = F.cross_entropy(outputs.logits.float(), targets[supervised], reduction="none")
        return nll, inputs["task_ids"][:, 1:][supervised], outputs

    def _token_coefficients(self, inputs: dict[str, Any]) -> torch.Tensor:
        if self.normalization == "micro_batch":
            coefficients = self.weighting.coefficients(self._count_tokens(inputs)) / self._micro_batches
        else:
            assert self._coefficients is not None
            coefficients = self._coefficients * self.accelerator.num_processes
        return torch.tensor(coefficients, dtype=torch.float32)

    def end_step(self, step: int) -> None:
        """Sum up the losses of a step, counted from 0, over the ranks, and let the weighting take note of them."""
        losses = self._step_loss(self._nll_sums)
        self._nll_sums.zero_()
        diverged = [task for task, total in zip(self.tasks, losses.nll, strict=True) if not np.isfinite(total)]
        if diverged:
            self._refuse_divergence(f"the loss of {', '.join(diverged)} is")
        self.weighting.end_step(step, losses)
        self._since_log = StepLoss(self._since_log.nll + losses.nll, self._since_log.tokens + losses.tokens)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add to the log the mean token loss of each task since the last one, the weights and the tokens seen."""
        if "loss" in logs:
            if not np.isfinite(logs.get("grad_norm", 0.0)):
                self._refuse_divergence("the gradient's norm is")
            nll, tokens = self._since_log
            self._since_log = StepLoss(np.zeros_like(nll), np.zeros_like(tokens))
            seen = zip(self.tasks, nll, tokens, strict=True)
            logs["task_loss"] = {task: float(total / count) for task, total, count in seen if count}  # type: ignore[assignment]
            logs["weights"] = dict(zip(self.tasks, self.weighting.weights().tolist(), strict=True))  # type: ignore[assignment]
            logs["tokens"] = float(tokens.sum())
        super().log(logs, start_time)

    def _refuse_divergence(self, what: str) -> NoReturn:
        raise VisatbError(
            f"step {self.state.global_step}: the training has diverged, {what} no finite number; "
            "lower the learning rate, or raise warmup"
        )

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
        model = model if model is not None else self.model
        if not os.path.isfile(os.path.join(resume_from_checkpoint, "config.json")):
            raise FileNotFoundError(f"{resume_from_checkpoint}: holds no config.json")
        restored = type(model).from_pretrained(resume_from_checkpoint, dtype=torch.float32)
        model.load_state_dict(restored.state_dict(), strict=True)


def _unsupervised(batch: dict[str, torch.Tensor]) -> int:
    silent = (batch["labels"][:, 1:] == IGNORED).all(dim=1) & (batch["task_ids"][:, 0] != NO_TASK)
    return int(silent.sum())
