"""Columns of tables of scores: a metric of a task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from visatb.errors import VisatbError
from visatb.scores.metrics import METRICS

Groups = Mapping[str, Sequence[str]]
"""Group -> its tasks."""


@dataclass(frozen=True)
class Column:
    """One column of the validation matrix: a metric of a task."""

    task: str
    metric: str
    higher_is_better: bool = True


def columns_of(metrics: Mapping[str, Sequence[str]]) -> list[Column]:
    """Return a column for each of a task's metrics, given as task -> metrics.

    Raises:
        VisatbError: a metric is none of `visatb.scores.metrics.METRICS`.
    """
    if unknown := sorted({name for names in metrics.values() for name in names} - set(METRICS)):
        raise VisatbError(f"metrics: expected some of {', '.join(METRICS)}, found {', '.join(unknown)}")
    return [Column(task, name, METRICS[name].higher_is_better) for task, names in metrics.items() for name in names]


def column_names(columns: Sequence[Column]) -> list[str]:
    """Return the heading of every column: the task, or ``task:metric`` where the task has several metrics."""
    metrics = Counter(column.task for column in columns)
    return [c.task if metrics[c.task] == 1 else f"{c.task}:{c.metric}" for c in columns]
