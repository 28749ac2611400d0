"""What each run will cost: tokens, answers, GPU-hours and room on the disk, estimated before anything is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil

from visatb.experiment.experiment import Experiment
from visatb.experiment.runs import Run
from visatb.planning.throughput import PREDICT, Speeds
from visatb.planning.token_ledger import Counts, MicroBatches, mixture_tokens, tasks_without_counts

FLOAT = 4
"""Bytes of a parameter: models are trained and saved in float32."""
ADAM, ADAM_DEEPSPEED = 8, 12
"""Bytes of the optimiser's state a trained parameter: two means, and DeepSpeed's own copy of the parameter."""
GB = 1e9


@dataclass(frozen=True)
class Basis:
    """What is known before a training; what is missing leaves its columns empty.

    Attributes:
        counts: task -> tokens of its train records.
        blank_row: tokens of the blank picture beside a micro-batch of texts.
        answer_tokens: (task, split) -> mean tokens of a true answer.
        parameters: of the model.
        trained: parameters that are trained.
        speeds: of each kind of job.
        record_bytes: (task, split) -> size of the file of its records.
    """

    counts: Mapping[str, Counts] = field(default_factory=dict)
    blank_row: int = 0
    answer_tokens: Mapping[tuple[str, str], float] = field(default_factory=dict)
    parameters: int | None = None
    trained: int | None = None
    speeds: Speeds = field(default_factory=dict)
    record_bytes: Mapping[tuple[str, str], int] = field(default_factory=dict)


@dataclass(frozen=True)
class RunCosts:
    """A run whose costs are estimated from a `Basis`.

    Attributes:
        experiment: which it belongs to.
        run: the run.
        samples: task -> samples of it in an epoch.
        steps: optimiser steps of the training.
        answers: (task, split) -> answers that are generated.
    """

    experiment: Experiment
    run: Run
    samples: Mapping[str, int]
    steps: int
    answers: Mapping[tuple[str, str], int]

    def columns(self, basis: Basis) -> dict[str, float | None]:
        """Return ``tokens``, ``padding``, ``answer_tokens``, ``gpu_hours``, ``disk_gb`` and ``checkpoints_gb``."""
        tokens, padding = self._tokens(basis)
        generated = self._answer_tokens(basis)
        return {
            "tokens": tokens,
            "padding": padding,
            "answer_tokens": generated,
            "gpu_hours": self._hours(basis.speeds, tokens, generated),
            "disk_gb": self._disk(basis),
            "checkpoints_gb": self._checkpoints(basis),
        }

    @property
    def _is_trained(self) -> bool:
        return self.run in self.experiment.trained_runs

    def _tokens(self, basis: Basis) -> tuple[int | None, int | None]:
        if not self._is_trained:
            return 0, 0
        if tasks_without_counts(basis.counts, list(self.samples)):
            return None, None
        config = self.experiment.config
        training = config.training
        micro_batches = MicroBatches(training.micro_batch_size, training.packing, basis.blank_row, config.seed)
        mixture = mixture_tokens(basis.counts, self.samples, micro_batches)
        padding = mixture["padding"].sum()
        return round((mixture["tokens"].sum() + padding) * training.epochs), round(padding * training.epochs)

    def _answer_tokens(self, basis: Basis) -> int | None:
        if any(key not in basis.answer_tokens for key in self.answers):
            return None
        tasks = self.experiment.tasks
        return round(
            sum(
                number * min(basis.answer_tokens[task, split], tasks[task].max_new_tokens)
                for (task, split), number in self.answers.items()
            )
        )

    def _hours(self, speeds: Speeds, tokens: int | None, generated: int | None) -> float | None:
        parts = [(tokens, self.experiment.resource_kind(self.run.name)), (generated, PREDICT)]
        if any(number is None or (number and kind not in speeds) for number, kind in parts):
            return None
        return sum(number / speeds[kind] / 3600 for number, kind in parts if number)

    def _disk(self, basis: Basis) -> float | None:
        if basis.parameters is None:
            return None
        model = basis.parameters * FLOAT if self._is_trained else 0
        return (model + sum(basis.record_bytes.get(key, 0) for key in self.answers)) / GB

    def _checkpoints(self, basis: Basis) -> float | None:
        """Most room that checkpoints take at a time: a new one is written before the oldest goes."""
        if basis.parameters is None or basis.trained is None:
            return None
        if not self._is_trained:
            return 0.0
        training = self.experiment.config.training
        number = min(training.keep_checkpoints + 1, max(1, ceil(self.steps / training.save_steps)))
        optimizer = ADAM_DEEPSPEED if training.deepspeed else ADAM
        return number * (basis.parameters * FLOAT + basis.trained * optimizer) / GB
