"""What of an experiment is there already, made elsewhere or by an earlier experiment, and so is not made again."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from visatb.config.schema import Config
from visatb.experiment.imports import read_imported_scores
from visatb.experiment.incremental import Kept, kept
from visatb.experiment.runs import Run
from visatb.scores.imported import ImportedScore
from visatb.scores.origins import EARLIER_MODEL, IMPORTED_MODEL
from visatb.scores.table import Evaluation


@dataclass(frozen=True)
class Reuse:
    """Models that stand for trainings and scores that stand for evaluations.

    Attributes:
        models: run -> the folder of its model.
        scores: evaluation -> the scores, one a metric, that a table gives.
        earlier: what a finished experiment gives, to which tasks are added.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[Evaluation, tuple[ImportedScore, ...]] = field(default_factory=dict)
    earlier: Kept = field(default_factory=Kept)

    @cached_property
    def scored(self) -> frozenset[Evaluation]:
        """The evaluations that no model has to answer here."""
        return frozenset(self.scores) | frozenset(self.earlier.scores) | self.earlier.extrapolated

    def notes(self, config: Config) -> list[str]:
        """Return sentences for readers of the results, one for each kind of what is not made here."""
        lines = []
        if config.imports.runs:
            lines.append(f"Imported models: {', '.join(config.imports.runs)}.")
        if self.scores:
            runs = dict.fromkeys(run for run, _, _ in self.scores)
            lines.append(f"Imported scores: {', '.join(runs)}.")
        if config.adding:
            lines.append(f"{', '.join(config.adding.tasks)} added to {config.adding.to}.")
        if self.earlier.extrapolated:
            new = ", ".join(config.adding.tasks) if config.adding else ""
            lines.append(
                f"C marked ≈, and D of all but {new}, follow from runs without the new tasks and are approximate."
            )
        return lines

    def model_origin(self, run: str) -> str | None:
        """Return where the model of a run comes from; None for one that is trained here."""
        if run in self.earlier.models:
            return EARLIER_MODEL
        return IMPORTED_MODEL if run in self.models else None


def reuse_of(config: Config, runs: Mapping[str, Run]) -> Reuse:
    """Return what a config, whose mistakes are mended, need not make."""
    imports, earlier = config.imports, kept(config, runs)
    return Reuse({**earlier.models, **imports.runs}, by_evaluation(_table(config, runs)[0]), earlier)


def check_tables(config: Config, runs: Mapping[str, Run]) -> list[str]:
    """Return a line for each mistake in the table of imported scores."""
    return _table(config, runs)[1]


def _table(config: Config, runs: Mapping[str, Run]) -> tuple[list[ImportedScore], list[str]]:
    if config.imports.scores is None:
        return [], []
    metrics = {task: settings.metrics for task, settings in config.tasks.items()}
    return read_imported_scores(config.imports.scores, runs, metrics)


def by_evaluation(scores: Iterable[ImportedScore]) -> dict[Evaluation, tuple[ImportedScore, ...]]:
    """Return the scores of each (run, split, task)."""
    grouped: dict[Evaluation, tuple[ImportedScore, ...]] = {}
    for score in scores:
        grouped[score.evaluation] = (*grouped.get(score.evaluation, ()), score)
    return grouped
