"""The validation matrix: which runs and columns balancing needs, checked by name and laid out as an array."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from visatb.balancing.equations import Layout
from visatb.balancing.run_names import repetitions
from visatb.config.balancing import BalanceSettings
from visatb.errors import VisatbError, bullet_list
from visatb.runtime.arrays import Floats
from visatb.scores.columns import Column, Groups, column_names


@dataclass(frozen=True)
class Names:
    """The names along the axes of a `Layout`."""

    columns: tuple[str, ...]
    groups: tuple[str, ...]
    runs: tuple[str, ...]
    needs: Mapping[str, tuple[str, ...]]
    """Run -> the columns in which its score is used; its other cells may be empty."""
    repetitions: Mapping[str, tuple[str, ...]]
    """Run -> the trainings that its score is the mean of, itself first."""

    @property
    def scored(self) -> dict[str, tuple[str, ...]]:
        """Every training -> the columns in which its score is used (as `scored_runs` says)."""
        return {again: self.needs[run] for run, all_of_it in self.repetitions.items() for again in all_of_it}


def needed_scores(columns: Sequence[Column], groups: Groups, settings: BalanceSettings) -> dict[str, tuple[str, ...]]:
    """Return every run whose validation scores are needed, with the headings of the columns it is needed in.

    The paired form has N + 1 runs, and 2 more a task with precise difficulty; the simple form 2N + 1.
    """
    names = column_names(columns)
    own = {task: [n for n, c in zip(names, columns, strict=True) if c.task == task] for task in _tasks(groups)}
    paired = settings.form == "paired"
    everywhere = ["mini" if paired else "base", *(_trained(group, groups, settings) for group in groups)]
    needs = dict.fromkeys(everywhere, tuple(names))
    if settings.difficulty == "precise":
        alone = ["mini-only", "large-only"] if paired else ["mini-only"]
        needs |= {f"{run}-{task}": tuple(own[task]) for task in own for run in alone}
    return needs


def scored_runs(columns: Sequence[Column], groups: Groups, settings: BalanceSettings) -> dict[str, tuple[str, ...]]:
    """Return every training whose validation scores are needed, with the columns it is needed in."""
    needs = needed_scores(columns, groups, settings)
    return {again: needs[run] for run in needs for again in repetitions(run, settings.seeds, settings.mini_seeds)}


def lay_out(columns: Sequence[Column], groups: Groups, settings: BalanceSettings) -> tuple[Names, Layout]:
    """Return the names and the layout of the array [R, K] that `array_of` makes.

    Raises:
        VisatbError: naming every task, group or column that does not fit.
    """
    problems = list(_layout_problems(columns, groups, settings))
    if problems:
        raise VisatbError(f"tasks and groups do not fit the validation columns:\n{bullet_list(problems)}")
    needs = needed_scores(columns, groups, settings)
    runs = tuple(needs)
    again = {run: repetitions(run, settings.seeds, settings.mini_seeds) for run in runs}
    group_of = {task: group for group, members in groups.items() for task in members}
    names, tasks = tuple(groups), list(group_of)
    trained = {group: runs.index(_trained(group, groups, settings)) for group in groups}
    small, full = [0] * len(columns), [trained[group_of[column.task]] for column in columns]
    if settings.difficulty == "precise":
        large = "large-only" if settings.form == "paired" else "single"
        small = [runs.index(f"mini-only-{column.task}") for column in columns]
        full = [runs.index(f"{large}-{column.task}") for column in columns]
    layout = Layout(
        sign=np.array([1.0 if column.higher_is_better else -1.0 for column in columns]),
        group_of=np.array([names.index(group_of[column.task]) for column in columns]),
        task_of=np.array([tasks.index(column.task) for column in columns]),
        baseline=0,
        trained=np.array(list(trained.values())),
        small=np.array(small),
        full=np.array(full),
    )
    return Names(tuple(column_names(columns)), names, runs, needs, again), layout


def array_of(matrix: pd.DataFrame, names: Names) -> Floats:
    """Return the scores [R, K] of ``matrix`` in the order of ``names``, cells that are not needed as 0.

    Raises:
        VisatbError: naming every missing, unexpected or repeated run and column, and every score that is
            not a finite number.
    """
    problems = [
        *_axis_problems("run", list(matrix.index), names.runs),
        *_axis_problems("column", list(matrix.columns), names.columns),
        *_cell_problems(matrix, names),
    ]
    if problems:
        raise VisatbError(f"the validation matrix cannot be used:\n{bullet_list(problems)}")
    needed = [[column in names.needs[run] for column in names.columns] for run in names.runs]
    ordered = matrix.loc[list(names.runs), list(names.columns)].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(needed, ordered, 0.0)


def _tasks(groups: Groups) -> list[str]:
    return [task for members in groups.values() for task in members]


def _trained(group: str, groups: Groups, settings: BalanceSettings) -> str:
    return f"plus-{group}" if settings.form == "paired" else f"single-{next(iter(groups[group]), group)}"


def _layout_problems(columns: Sequence[Column], groups: Groups, settings: BalanceSettings) -> Iterator[str]:
    if len(groups) < 2:
        yield f"balancing needs at least two groups of tasks, found {len(groups)}"
    for (task, metric), count in Counter((c.task, c.metric) for c in columns).items():
        if count > 1:
            yield f"metric {metric} of task {task} is declared {count} times"
    members, declared = Counter(_tasks(groups)), {column.task for column in columns}
    for task, count in members.items():
        if count > 1:
            yield f"task {task} is named {count} times in the groups; a task belongs to one group"
        if task not in declared:
            yield f"task {task} has no validation column"
    for task in sorted(declared - set(members)):
        yield f"task {task} has a validation column but is in no group"
    for group, tasks in groups.items():
        if not tasks:
            yield f"group {group} has no task"
        if settings.form == "simple" and len(tasks) > 1:
            yield f"group {group} has {len(tasks)} tasks, but form: simple has no run on a whole group"


def _axis_problems(what: str, found: Sequence[object], wanted: Sequence[str]) -> Iterator[str]:
    for name in wanted:
        if name not in found:
            yield f"{what} {name} is missing"
    for extra, count in Counter(found).items():
        if extra not in wanted:
            yield f"{what} {extra} is not expected here"
        elif count > 1:
            yield f"{what} {extra} is there {count} times"


def _cell_problems(matrix: pd.DataFrame, names: Names) -> Iterator[str]:
    if not (matrix.index.is_unique and matrix.columns.is_unique):
        return
    for run in (run for run in names.runs if run in matrix.index):
        for column in (column for column in names.needs[run] if column in matrix.columns):
            value = matrix.loc[run, column]
            try:
                finite = math.isfinite(float(value))
            except (TypeError, ValueError):
                finite = False
            if not finite:
                yield f"run {run}, column {column}: the score is {value}; a finite number is needed"
