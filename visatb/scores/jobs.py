"""What jobs that take scores in and compare them depend on, beside the files that they read."""

from collections.abc import Mapping
from typing import Self

from pydantic import model_validator

from visatb.config.types import PositiveInt, Section, Seed
from visatb.scores.benchmark import SINGLE_TASK


class BenchmarkJob(Section):
    """The benchmark table.

    Attributes:
        methods: its rows.
        metrics: task -> its metrics, the columns.
        bootstrap: draws behind the 95 % intervals.
        seed: of these draws.
        single: task -> the run on it alone, of all of which STL consists.
    """

    methods: tuple[str, ...]
    metrics: Mapping[str, tuple[str, ...]]
    bootstrap: PositiveInt
    seed: Seed
    single: Mapping[str, str] = {}

    @model_validator(mode="after")
    def _has_runs_of_stl(self) -> Self:
        missing = [task for task in self.metrics if task not in self.single]
        if SINGLE_TASK in self.methods and missing:
            raise ValueError(f"single: STL needs one run a task, and there is none of {', '.join(missing)}")
        return self

    @property
    def runs(self) -> dict[str, Mapping[str, str]]:
        """Method -> task -> the run that answers it."""
        return {
            method: self.single if method == SINGLE_TASK else dict.fromkeys(self.metrics, method)
            for method in self.methods
        }


class ComparisonJob(Section):
    """Methods of several experiments in one table.

    Attributes:
        experiments: their names, in the order of the table.
        metrics: task -> its metrics, the columns.
    """

    experiments: tuple[str, ...]
    metrics: Mapping[str, tuple[str, ...]]


class KnownScore(Section):
    """A score that was made elsewhere.

    Attributes:
        value: in the metric's unit.
        n: the number of samples behind it.
    """

    value: float
    n: int


class ImportJob(Section):
    """Scores of one evaluation that were made elsewhere.

    Attributes:
        run: the run that they are of.
        split: the split that was answered.
        task: the task.
        scores: metric -> the score.
    """

    run: str
    split: str
    task: str
    scores: Mapping[str, KnownScore]


class KeptJob(Section):
    """Scores of a finished experiment that are taken over.

    Attributes:
        metrics: of the task.
    """

    metrics: tuple[str, ...]
