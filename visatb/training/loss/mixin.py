"""The loss of Eq. 2 for any script with a transformers Trainer: normalised over the whole optimiser step."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NoReturn

import numpy as np
import torch
from torch import nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.trainer_utils import has_length

from visatb.errors import VisatbError
from visatb.training.batches.collator import IGNORED, NO_TASK
from visatb.training.loss.head import Head
from visatb.training.loss.task_ids import with_task_ids
from visatb.training.loss.task_weights import read_task_weights
from visatb.training.loss.weighting import StepLoss, Vector, WeightedTokens, Weighting

__all__ = ["WeightedLossMixin", "read_task_weights", "with_task_ids"]


class _Steps(TrainerCallback):
    """Ends each step for its weighting."""

    def __init__(self, trainer: "WeightedLossMixin") -> None:
        self._trainer = trainer

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Hand the step's losses on, before a checkpoint is written."""
        self._trainer.end_step(state.global_step - 1)


class WeightedLossMixin(Trainer):
    """Minimises sum_k lambda_task(k) nll_k / sum_k lambda_task(k) over the supervised tokens of an optimiser step.

    Put it before the Trainer of a script: ``class Mine(WeightedLossMixin, SFTTrainer)``; before `Trainer` itself it may
    also stand alone. Both sums run over all ranks and all gradient-accumulation micro-batches, however the step is
    split. With ``normalization="micro_batch"`` they run over one rank's micro-batch instead, as in the authors' code.

    A batch holds ``labels`` [samples, tokens], which are shifted here, and ``task_ids``: the place of each sample's
    task in ``task_weights``, shape [samples] or [samples, tokens]. `with_task_ids` adds them. ``token_weights``
    [samples, tokens], where there are any, are a token's share of its task's weight. Where a row packs several samples,
    ``task_ids`` and all others are [rows, tokens], and ``sample_ids`` [rows, tokens] tell the samples apart: they are
    counted from 0 as the sampler gave them, and negative on what belongs to none.

    Args:
        task_weights: task -> lambda.
        weighting: what becomes of lambda during the training; by default it stays.
        normalization: over what the loss is normalised.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *args: Any,
        task_weights: Mapping[str, float],
        weighting: Weighting | None = None,
        normalization: Literal["step", "micro_batch"] = "step",
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.tasks = list(task_weights)
        self.weighting = weighting or WeightedTokens(np.array(list(task_weights.values()), dtype=np.float64))
        self.normalization = normalization
        self.unsupervised_samples = 0
        self.step_has_tokens = True
        self._counts: Vector = np.zeros(len(self.tasks))
        self._coefficients: Vector | None = None
        self._micro_batches = 1
        self._head = Head(self.accelerator.unwrap_model, self.args)
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
        local = sum((self._count_tokens(batch) for batch in batch_samples), np.zeros(len(self.tasks)))
        self.unsupervised_samples += sum(_unsupervised(batch) for batch in batch_samples)
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

    def _prepare_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        prepared = super()._prepare_inputs(inputs)
        if "token_weights" in inputs:  # DeepSpeed rounds floating inputs to its own format; they were counted unrounded
            prepared["token_weights"] = inputs["token_weights"].to(self.args.device)
        return prepared

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
        if self.args.world_size == 1 or not has_length(self.train_dataset):
            return
        size = self.args.train_batch_size
        real = len(self.train_dataset) % (size * self.args.world_size)
        if real == 0 or not self.accelerator.gradient_state.end_of_dataloader:
            return
        repeated = _sample_ids(last) >= max(0, real - self.args.process_index * size)
        last["labels"][repeated] = IGNORED
        last["task_ids"][repeated if last["task_ids"].dim() == 2 else repeated[:, 0]] = NO_TASK

    def _count_tokens(self, batch: dict[str, torch.Tensor]) -> Vector:
        """Return the supervised tokens [tasks] of a micro-batch, each counted by its share of the task's weight."""
        supervised = batch["labels"][:, 1:] != IGNORED
        task_ids = self._task_ids(batch, supervised)
        counts = torch.zeros(len(self.tasks), dtype=torch.float64)
        return counts.index_add_(0, task_ids.cpu(), _shares(batch, supervised).double().cpu()).numpy()

    def _task_ids(self, batch: dict[str, torch.Tensor], supervised: torch.Tensor) -> torch.Tensor:
        if "task_ids" not in batch:
            raise VisatbError(
                "a batch has no 'task_ids'; wrap the data collator: data_collator=with_task_ids(collator, task_weights)"
            )
        given = batch["task_ids"]
        of_tokens = given if given.dim() == 2 else given[:, None].expand_as(batch["labels"])
        ids = of_tokens[:, 1:][supervised]
        if len(ids) and not 0 <= int(ids.min()) <= int(ids.max()) < len(self.tasks):
            raise VisatbError(
                f"'task_ids' of supervised tokens go from {int(ids.min())} to {int(ids.max())}, but there are "
                f"{len(self.tasks)} tasks, counted from 0: {', '.join(self.tasks)}"
            )
        return ids

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
        """Return this micro-batch's part of the step's loss, times the number of ranks, which average gradients.

        Of a model that is being evaluated: Eq. 2 over this batch alone.
        """
        if not model.training:
            return self._evaluation_loss(model, inputs, return_outputs)
        nll, task_ids, outputs = self._token_losses(model, inputs, logits_wanted=return_outputs)
        self._nll_sums.index_add_(0, task_ids, nll.detach().double())
        if self._coefficients is None:
            self._weigh_step(self._nll_sums)
        loss = (self._token_coefficients(inputs).to(nll.device)[task_ids] * nll).sum()
        return (loss, outputs) if return_outputs else loss

    def _token_losses(
        self, model: nn.Module, inputs: dict[str, Any], logits_wanted: bool = False
    ) -> tuple[torch.Tensor, torch.Tensor, Any]:
        """Return the loss and the task of each supervised token of a micro-batch, and the model's outputs."""
        labels, tokens = inputs["labels"], self._counts.sum()
        supervised = labels[:, 1:] != IGNORED
        task_ids = self._task_ids(inputs, supervised)
        nll, outputs = self._head.token_losses(model, _model_inputs(inputs), labels, tokens, logits_wanted)
        return _shared(nll, inputs, supervised), task_ids, outputs

    def _evaluation_loss(self, model: nn.Module, inputs: dict[str, Any], return_outputs: bool) -> Any:
        outputs = model(**_model_inputs(inputs), use_cache=False)
        labels = inputs["labels"][:, 1:]
        supervised = labels != IGNORED
        nll = _shared(self._head.losses_of(outputs.logits[:, :-1][supervised], labels[supervised]), inputs, supervised)
        coefficients = torch.tensor(self.weighting.coefficients(self._count_tokens(inputs)), dtype=torch.float32)
        loss = (coefficients.to(nll.device)[self._task_ids(inputs, supervised)] * nll).sum()
        return (loss, outputs) if return_outputs else loss

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
        """Add to the log of a training what `log_of_tasks` tells of the steps since the last one."""
        if "loss" in logs:
            if not np.isfinite(logs.get("grad_norm", 0.0)):
                self._refuse_divergence("the gradient's norm is")
            since = self._since_log
            self._since_log = StepLoss(np.zeros_like(since.nll), np.zeros_like(since.tokens))
            logs |= self.log_of_tasks(since)
        super().log(logs, start_time)

    def log_of_tasks(self, since: StepLoss) -> dict[str, Any]:
        """Return the mean token loss of each task that was seen, as ``task_loss/<task>``."""
        seen = zip(self.tasks, since.nll, since.tokens, strict=True)
        return {f"task_loss/{task}": float(total / count) for task, total, count in seen if count}

    def _refuse_divergence(self, what: str) -> NoReturn:
        raise VisatbError(
            f"step {self.state.global_step}: the training has diverged, {what} no finite number; "
            "lower the learning rate, or raise warmup"
        )


def _model_inputs(batch: dict[str, Any]) -> dict[str, Any]:
    own = ("labels", "task_ids", "token_weights", "sample_ids")
    return {key: value for key, value in batch.items() if key not in own}


def _sample_ids(batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return which sample of the micro-batch each token is of, [rows, tokens]; a row is one unless it is told."""
    labels = batch["labels"]
    rows = torch.arange(len(labels), device=labels.device)[:, None].expand_as(labels)
    return batch.get("sample_ids", rows)


def _shares(batch: dict[str, torch.Tensor], supervised: torch.Tensor) -> torch.Tensor:
    """Return the share of its task's weight that each supervised token has, shape [positions]."""
    given = batch.get("token_weights")
    return torch.ones(int(supervised.sum()), device=supervised.device) if given is None else given[:, 1:][supervised]


def _shared(nll: torch.Tensor, batch: dict[str, torch.Tensor], supervised: torch.Tensor) -> torch.Tensor:
    """Return the loss of each supervised token, times its share."""
    return nll * _shares(batch, supervised) if "token_weights" in batch else nll


def _unsupervised(batch: dict[str, torch.Tensor]) -> int:
    """Return how many samples of tasks have nothing to learn from."""
    sample_ids, task_ids = _sample_ids(batch), batch["task_ids"]
    of_tokens = task_ids if task_ids.dim() == 2 else task_ids[:, None].expand_as(sample_ids)
    supervised = sample_ids[:, 1:][batch["labels"][:, 1:] != IGNORED]
    of_tasks = sample_ids[(of_tokens != NO_TASK) & (sample_ids >= 0)]
    return len(of_tasks.unique()) - len(supervised.unique())
