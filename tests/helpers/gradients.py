"""Gradients of trainings, recorded and compared."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Dataset
from transformers import PreTrainedModel, TrainerCallback, TrainingArguments

from visatb.training.batches.collator import Sample

Gradients = dict[str, torch.Tensor]


class Samples(Dataset[Sample]):
    def __init__(self, samples: Sequence[Sample]) -> None:
        self._samples = list(samples)

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Sample:
        return self._samples[index]


class Recorder(TrainerCallback):
    """Keeps every step's gradients, as the optimiser is about to see them, and its logged loss."""

    def __init__(self) -> None:
        self.gradients: list[Gradients] = []
        self.logs: list[dict[str, Any]] = []

    def on_pre_optimizer_step(self, *_: Any, model: PreTrainedModel, **__: Any) -> None:
        self.gradients.append(gradients_of(model))

    def on_log(self, *_: Any, logs: dict[str, Any], **__: Any) -> None:
        if "loss" in logs:
            self.logs.append(logs)


def one_epoch(folder: Path, size: int, accumulation: int, **options: Any) -> TrainingArguments:
    """Return arguments of an epoch in the samples' order whose gradients are not clipped and nothing of it is saved."""
    return TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=size,
        gradient_accumulation_steps=accumulation,
        num_train_epochs=1,
        train_sampling_strategy="sequential",
        logging_steps=1,
        save_strategy="no",
        max_grad_norm=0.0,
        use_cpu=True,
        dataloader_pin_memory=False,
        remove_unused_columns=False,
        disable_tqdm=True,
        report_to=[],
        **options,
    )


def gradients_of(model: PreTrainedModel) -> Gradients:
    return {name: value.grad.detach().clone() for name, value in model.named_parameters() if value.grad is not None}


def distance(found: Gradients, expected: Gradients) -> float:
    """Return the length of the difference of two gradients, relative to the second."""
    names = found.keys() | expected.keys()
    zero = torch.zeros(())
    difference = sum((found.get(n, zero).double() - expected.get(n, zero).double()).square().sum() for n in names)
    return float((difference / sum(value.square().sum() for value in expected.values())).sqrt())
