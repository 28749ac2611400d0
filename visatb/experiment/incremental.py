"""Tasks that come to a finished experiment: what of it stays, and what the new mixture is extrapolated from.

`strict` trains all that the definitions ask for; runs whose mixture has no new task are kept. `frozen` keeps the
finished ``plus-<group>`` runs too, which never saw the new tasks' mini subsets. They appear as ``before-plus-<group>``
beside ``before-mini``, and V(plus-<group>) of the new mixture is extrapolated from what the large subset changed
before:

    V(plus-g) = V(mini) + V(before-plus-g) - V(before-mini)

in every column. This is exact where the new mini subsets move a column by the same amount with and without the large
subset of g, and an approximation elsewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from visatb.balancing.run_names import RunName
from visatb.config.schema import Config
from visatb.experiment.runs import Run, groups_of
from visatb.scores.table import Evaluation

ALONE = ("single", "mini-only", "large-only", "base")
"""Kinds of runs that see one task at most."""


@dataclass(frozen=True)
class Kept:
    """What a finished experiment gives.

    Attributes:
        models: run -> the folder of its model.
        scores: evaluation -> the file with what each sample scored.
        extrapolated: the evaluations that follow from those of ``mini``, ``before-mini`` and ``before-<run>``.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    scores: Mapping[Evaluation, str] = field(default_factory=dict)
    extrapolated: frozenset[Evaluation] = frozenset()


def old_groups(config: Config) -> dict[str, tuple[str, ...]]:
    """Return those groups that hold no new task."""
    new = set(config.adding.tasks) if config.adding else set()
    return {group: tasks for group, tasks in groups_of(config).items() if new.isdisjoint(tasks)}


def kept(config: Config, runs: Mapping[str, Run]) -> Kept:
    """Return what the experiment that ``adding`` names gives to this one."""
    if config.adding is None:
        return Kept()
    earlier = [(run, before) for run in runs.values() if (before := earlier_name(run, config)) is not None]
    folder, new = Path(config.adding.to), config.adding.tasks
    models = {run.name: str(folder / "runs" / before / "model") for run, before in earlier if run.is_trained}
    scores = {
        (run.name, split, task): str(folder / "scores" / before / split / f"{task}.parquet")
        for run, before in earlier
        for split, tasks in run.evaluates.items()
        for task in tasks
    }
    return Kept(
        models={run: model for run, model in models.items() if Path(model).is_dir()},
        scores={
            evaluation: file for evaluation, file in scores.items() if evaluation[2] not in new and Path(file).is_file()
        },
        extrapolated=frozenset(_extrapolated(config, runs)),
    )


def original_name(run: Run) -> str:
    """Return the name that a run of the kind ``before`` has in the finished experiment."""
    return str(replace(RunName.parse(run.name), before=False))


def earlier_name(run: Run, config: Config) -> str | None:
    """Return the name that a run had in the finished experiment, if it is the same run."""
    assert config.adding is not None
    if run.kind == "before":
        return original_name(run)
    is_old = run.kind in ALONE and not set(run.mixture) & set(config.adding.tasks)
    return run.name if is_old else None


def _extrapolated(config: Config, runs: Mapping[str, Run]) -> Iterator[Evaluation]:
    if config.adding is None or config.adding.mode != "frozen":
        return
    for group in old_groups(config):
        if (run := runs.get(str(RunName("plus", group)))) is not None:
            yield from ((run.name, "val", task) for task in run.evaluates["val"])
