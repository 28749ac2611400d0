"""The tasks of samples, as numbers that a batch carries for the weighted loss."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from visatb.errors import VisatbError


@dataclass(frozen=True)
class _WithTaskIds:
    collator: Callable[[list[dict[str, Any]]], Mapping[str, Any]]
    tasks: Sequence[str]
    field: str

    def __call__(self, samples: Sequence[dict[str, Any]]) -> dict[str, Any]:
        task_ids = torch.tensor([self._place(sample) for sample in samples])
        rest = [{key: value for key, value in sample.items() if key != self.field} for sample in samples]
        return {**self.collator(rest), "task_ids": task_ids}

    def _place(self, sample: Mapping[str, Any]) -> int:
        if self.field not in sample:
            raise VisatbError(
                f"a sample has no '{self.field}', only {', '.join(map(repr, sample))}; give each sample its task's "
                "name there, and the Trainer remove_unused_columns=False, without which it takes the column away"
            )
        if sample[self.field] not in self.tasks:
            raise VisatbError(
                f"a sample's task is {sample[self.field]!r}; there are weights of {', '.join(self.tasks)}"
            )
        return self.tasks.index(sample[self.field])


def with_task_ids(
    collator: Callable[[list[dict[str, Any]]], Mapping[str, Any]],
    task_weights: Mapping[str, float],
    field: str = "task",
) -> Callable[[Sequence[dict[str, Any]]], dict[str, Any]]:
    """Return a data collator that takes ``field``, the task's name, out of the samples and adds ``task_ids``.

    Its batches are those of ``collator``, one row a sample. Raises `VisatbError` for a sample without a task, or whose
    task has no weight.
    """
    return _WithTaskIds(collator, list(task_weights), field)
