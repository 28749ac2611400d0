"""The runs of an experiment: which trainings its balancings and methods need, on what, and what each is scored on."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from visatb.balancing.run_names import Kind, RunName
from visatb.config.balancing import TRAINING_METHODS, BalanceSettings, BalancingConfig
from visatb.config.schema import Config
from visatb.scores.columns import Groups


@dataclass(frozen=True)
class Run:
    """One model: a training, or the base model as it is.

    Attributes:
        name: its folder under ``runs/``, e.g. ``plus-GQA``.
        kind: ``base``, ``mini``, ``plus``, ``mini-only``, ``large-only``, ``single``, ``variant``, ``given``,
            ``before``, or the method's name.
        mixture: task -> the subset it is trained on (``mini``, ``large`` or ``train``); nothing for ``base``.
        evaluates: split -> the tasks whose samples of that split it answers.
        weights: where its task weights come from: ``equal``, ``visatb``, or a name under ``variants`` or
            ``given_weights``. A method that moves its weights begins with equal ones.
        repetition: 0, or what is added to the experiment's seed where a training is repeated with another one.
    """

    name: str
    kind: str
    mixture: Mapping[str, str]
    evaluates: Mapping[str, tuple[str, ...]]
    weights: str = "equal"
    repetition: int = 0

    @property
    def is_trained(self) -> bool:
        """Whether the run is a training at all: the base model is scored as it is."""
        return self.kind != "base"

    @property
    def follows_measurement(self) -> bool:
        """Whether its weights are those that this experiment measures, so that it cannot come from elsewhere."""
        return self.kind in ("visatb", "variant")

    @property
    def moves_weights(self) -> bool:
        """Whether the run's method does more than Eq. 2 with weights that are given."""
        return self.kind in TRAINING_METHODS


def groups_of(config: Config) -> dict[str, tuple[str, ...]]:
    """Return group -> its tasks. A task that no group names is a group of its own."""
    group_of = {task: group for group, members in config.groups.items() for task in members}
    groups: dict[str, tuple[str, ...]] = {}
    for task in config.tasks:
        group = group_of.get(task, task)
        groups[group] = (*groups.get(group, ()), task)
    return groups


def experiment_runs(config: Config) -> dict[str, Run]:
    """Return every run by name: the preparation first, then the final ones in the order of ``methods``."""
    groups = groups_of(config)
    measuring = [run for balancing in balancings(config).values() for run in measuring_runs(config, groups, balancing)]
    final = [run for method in config.methods for run in final_runs(method, config)]
    return united([*_runs_before(config, groups), *measuring, *final])


def _runs_before(config: Config, groups: Groups) -> Iterator[Run]:
    """Yield the preparation runs of the experiment that tasks are added to, where they are kept as they are."""
    if config.adding is None or config.adding.mode == "strict":
        return
    new, on_val = set(config.adding.tasks), {"val": tuple(config.tasks)}
    minis = dict.fromkeys([task for task in [*config.tasks, *config.fixed_tasks] if task not in new], "mini")
    yield Run(str(RunName("mini", before=True)), "before", minis, on_val)
    for group, tasks in groups.items():
        if new.isdisjoint(tasks):
            name = RunName("plus", group, before=True)
            yield Run(str(name), "before", minis | dict.fromkeys(tasks, "large"), on_val)


def balancings(config: Config) -> dict[str, BalancingConfig]:
    """Return how each measured set of weights is made: ``visatb`` first, then every variant."""
    given = config.balancing
    made = {"visatb": given}
    for name, variant in config.variants.items():
        changed = {key: getattr(variant, key) for key in variant.model_fields_set if getattr(variant, key) is not None}
        if "form" in changed and changed["form"] != given.form and "difficulty" not in changed:
            changed["difficulty"] = None  # each form has its own default
        made[name] = given.model_copy(update=changed)
    return made


def measuring_runs(config: Config, groups: Groups, settings: BalanceSettings) -> list[Run]:
    """Return the runs whose validation scores a `visatb.balancing.design.Design` with ``settings`` needs."""
    mixtures = _mixtures(config, groups, settings)
    everywhere = tuple(config.tasks)
    return [
        Run(
            str(again),
            again.kind,
            mixture,
            {"val": (again.subject,) if again.kind in ("mini-only", "large-only") else everywhere},
            repetition=again.repetition,
        )
        for name, mixture in mixtures.items()
        for again in name.repeated(settings.seeds, settings.mini_seeds)
    ]


def _mixtures(config: Config, groups: Groups, settings: BalanceSettings) -> dict[RunName, dict[str, str]]:
    """Return what each of the runs that measure is trained on: task -> subset."""
    if settings.is_paired:
        minis = dict.fromkeys([*config.tasks, *config.fixed_tasks], "mini")
        mixtures = {RunName("mini"): minis}
        mixtures |= {RunName("plus", g): minis | dict.fromkeys(tasks, "large") for g, tasks in groups.items()}
    else:
        mixtures = {RunName("base"): {}}
        mixtures |= {RunName("single", task): {task: "train"} for task in config.tasks}
    if settings.difficulty_used == "precise":
        alone: dict[Kind, str] = (
            {"mini-only": "mini", "large-only": "large"} if settings.is_paired else {"mini-only": "mini"}
        )
        mixtures |= {RunName(kind, task): {task: size} for task in config.tasks for kind, size in alone.items()}
    return mixtures


def final_runs(method: str, config: Config) -> list[Run]:
    """Return the runs behind one row of the benchmark table."""
    if method == "stl":
        singles = {task: RunName("single", task) for task in config.tasks}
        return [Run(str(name), name.kind, {task: "train"}, {"test": (task,)}) for task, name in singles.items()]
    if method in config.variants or method in config.given_weights:
        kind, weights = "variant" if method in config.variants else "given", method
    else:
        kind, weights = method, "visatb" if method == "visatb" else "equal"
    mixture = dict.fromkeys([*config.tasks, *config.fixed_tasks], "train")
    return [Run(method, kind, mixture, {"test": tuple(config.tasks)}, weights)]


def united(runs: Iterable[Run]) -> dict[str, Run]:
    """Return the runs by name; one that serves several purposes is evaluated for all of them."""
    by_name: dict[str, Run] = {}
    for run in runs:
        known = by_name.get(run.name)
        by_name[run.name] = replace(known, evaluates=_both(known.evaluates, run.evaluates)) if known else run
    return by_name


def _both(first: Mapping[str, Sequence[str]], second: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    splits = dict.fromkeys([*first, *second])
    return {split: tuple(dict.fromkeys([*first.get(split, ()), *second.get(split, ())])) for split in splits}
