"""What jobs that balance depend on, beside the files that they read."""

from collections.abc import Mapping

from visatb.balancing.design import Design
from visatb.config.balancing import BalanceSettings
from visatb.config.types import PositiveFloat, PositiveInt, Section, Seed, Share
from visatb.scores.columns import columns_of


class MatrixJob(Section):
    """The validation matrix.

    Attributes:
        metrics: task -> its metrics.
        runs: run -> the tasks that it was scored on, nothing for all of them.
        repetitions: run -> the trainings that its score is the mean of, itself first, where there are several.
    """

    metrics: Mapping[str, tuple[str, ...]]
    runs: Mapping[str, tuple[str, ...]]
    repetitions: Mapping[str, tuple[str, ...]] = {}

    def tasks(self, run: str) -> tuple[str, ...]:
        """Return the tasks that a run was scored on."""
        return self.runs[run] or tuple(self.metrics)

    @property
    def trainings(self) -> dict[str, tuple[str, ...]]:
        """Run -> the trainings that its score is the mean of, itself first."""
        return {run: self.repetitions.get(run, (run,)) for run in self.runs}


class DesignJob(Section):
    """What is made of validation scores.

    Attributes:
        metrics: task -> its metrics, the columns of the validation matrix.
        groups: group -> its tasks.
        settings: of the balancing.
    """

    metrics: Mapping[str, tuple[str, ...]]
    groups: Mapping[str, tuple[str, ...]]
    settings: BalanceSettings = BalanceSettings()

    def design(self) -> Design:
        """Return the same as the equations take it.

        Raises:
            VisatbError: naming every task, group, metric or setting that does not fit the others.
        """
        return Design(columns_of(self.metrics), self.groups, self.settings)


class WeightsJob(DesignJob):
    """Weights and their intervals.

    Attributes:
        bootstrap: draws behind the 95 % intervals.
        seed: of these draws.
        fixed: task -> given weight, of the tasks that take no part.
        notes: what readers must know of how the scores came about.
    """

    bootstrap: PositiveInt
    seed: Seed
    fixed: Mapping[str, float] = {}
    notes: tuple[str, ...] = ()


class SizesJob(DesignJob):
    """How many validation samples of each task are answered.

    Attributes:
        precision: the largest half-width of a 95 % interval of any lambda.
        round_to: sizes are multiples of this.
    """

    precision: PositiveFloat
    round_to: PositiveInt = 1


class GroupingJob(Section):
    """Which tasks could be balanced as one.

    Attributes:
        groups: group -> its tasks, as they are now.
        number: of groups; by default the one with the best silhouette.
        rate_mini: R_mini, for the cost that is saved, where the config gives it.
        samples: questions a task that are compared, where groups follow from them.
        seed: of their drawing.
    """

    groups: Mapping[str, tuple[str, ...]]
    number: PositiveInt | None = None
    rate_mini: Share | None = None
    samples: PositiveInt | None = None
    seed: Seed | None = None
