"""What is measured: columns, groups and settings, and the runs and the matrix's layout that follow from them."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from visatb.balancing.equations import Layout
from visatb.balancing.run_names import Kind, RunName
from visatb.config.balancing import BalanceSettings
from visatb.errors import VisatbError, bullet_list
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
        """Every training -> the columns in which its score is used."""
        return {again: self.needs[run] for run, all_of_it in self.repetitions.items() for again in all_of_it}


@dataclass(frozen=True)
class Design:
    """How scores are made into weights, and by that which scores.

    Attributes:
        columns: what the columns of the validation matrix are.
        groups: group -> its tasks, which are balanced as one; every task of ``columns`` in one of them.
        settings: of the balancing.

    Raises:
        VisatbError: naming every task, group, column or setting that does not fit the others.
    """

    columns: Sequence[Column]
    groups: Groups
    settings: BalanceSettings = field(default_factory=BalanceSettings)

    def __post_init__(self) -> None:
        if problems := list(_contradictions(self.settings)):
            raise VisatbError(f"balancing settings cannot be used:\n{bullet_list(problems)}")
        if problems := list(_misfits(self.columns, self.groups, self.settings)):
            raise VisatbError(f"tasks and groups do not fit the validation columns:\n{bullet_list(problems)}")

    @classmethod
    def ungrouped(cls, columns: Sequence[Column], settings: BalanceSettings | None = None) -> "Design":
        """Return a design in which every task is a group of its own, in the order of ``columns``."""
        return cls(columns, {column.task: [column.task] for column in columns}, settings or BalanceSettings())

    @cached_property
    def names(self) -> Names:
        """Runs, groups and columns by name. Where a run is needed in all columns, it comes before those of one task.

        The paired form has N + 1 runs, and 2 more a task with precise difficulty; the simple form 2N + 1.
        """
        columns, settings = tuple(column_names(self.columns)), self.settings
        own = {
            task: tuple(name for name, column in zip(columns, self.columns, strict=True) if column.task == task)
            for task in self._tasks
        }
        needs = dict.fromkeys([self._baseline, *map(self._trained, self.groups)], columns)
        if settings.difficulty_used == "precise":
            sizes: tuple[Kind, ...] = ("mini-only", "large-only") if settings.is_paired else ("mini-only",)
            needs |= {RunName(size, task): own[task] for task in own for size in sizes}
        again = {run: run.repeated(settings.seeds, settings.mini_seeds) for run in needs}
        return Names(
            columns=columns,
            groups=tuple(self.groups),
            runs=tuple(map(str, needs)),
            needs={str(run): used for run, used in needs.items()},
            repetitions={str(run): tuple(map(str, trainings)) for run, trainings in again.items()},
        )

    @cached_property
    def layout(self) -> Layout:
        """Which row and which column of the array [R, K] in the order of `names` plays which part."""
        runs, names, settings = self.names.runs, self.names.groups, self.settings
        group_of = {task: group for group, members in self.groups.items() for task in members}
        trained = {group: runs.index(str(self._trained(group))) for group in names}
        small, full = [0] * len(self.columns), [trained[group_of[column.task]] for column in self.columns]
        if settings.difficulty_used == "precise":
            large: Kind = "large-only" if settings.is_paired else "single"
            small = [runs.index(str(RunName("mini-only", column.task))) for column in self.columns]
            full = [runs.index(str(RunName(large, column.task))) for column in self.columns]
        return Layout(
            sign=np.array([1.0 if column.higher_is_better else -1.0 for column in self.columns]),
            group_of=np.array([names.index(group_of[column.task]) for column in self.columns]),
            task_of=np.array([self._tasks.index(column.task) for column in self.columns]),
            baseline=0,
            trained=np.array(list(trained.values())),
            small=np.array(small),
            full=np.array(full),
        )

    @property
    def _tasks(self) -> list[str]:
        return [task for members in self.groups.values() for task in members]

    @property
    def _baseline(self) -> RunName:
        return RunName("mini" if self.settings.is_paired else "base")

    def _trained(self, group: str) -> RunName:
        return RunName("plus", group) if self.settings.is_paired else RunName("single", self.groups[group][0])


def _contradictions(settings: BalanceSettings) -> Iterator[str]:
    if abs(sum(settings.alphas) - 1) > 1e-6:
        yield f"alpha out, in, difficulty are {settings.alphas}; they must be shares that add up to 1"
    if not settings.is_paired and settings.difficulty_used == "repurposed":
        yield "form: simple has no mini run to repurpose; its difficulty must be precise (Eq. 11)"
    for name, seeds in {"seeds": settings.seeds, "mini_seeds": settings.mini_seeds or 1}.items():
        if not settings.is_paired and seeds > 1:
            yield f"{name} is {seeds}, but form: simple has no mini and plus runs to repeat"


def _misfits(columns: Sequence[Column], groups: Groups, settings: BalanceSettings) -> Iterator[str]:
    if len(groups) < 2:
        yield f"balancing needs at least two groups of tasks, found {len(groups)}"
    for (task, metric), count in Counter((column.task, column.metric) for column in columns).items():
        if count > 1:
            yield f"metric {metric} of task {task} is declared {count} times"
    members = Counter(task for tasks in groups.values() for task in tasks)
    declared = {column.task for column in columns}
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
        if not settings.is_paired and len(tasks) > 1:
            yield f"group {group} has {len(tasks)} tasks, but form: simple has no run on a whole group"
