"""Mistakes in a config that only show when its keys are looked at together, or when a file that it names is read."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

from visatb.config.endpoints import check_secrets, check_served
from visatb.config.loading import no_such_file, refuse, resolve_extends, validate_leniently
from visatb.config.messages import Mistake, place
from visatb.config.model import ModelConfig
from visatb.config.renamed import with_new_names
from visatb.config.resources import JobResources
from visatb.config.schema import RESERVED_NAMES, Config
from visatb.errors import VisatbError, did_you_mean
from visatb.evaluation.judge.prompt import read_prompt
from visatb.experiment.checks.data import check_data
from visatb.experiment.checks.l2t import check_l2t
from visatb.experiment.checks.methods import check_methods
from visatb.experiment.checks.models import checked_model
from visatb.experiment.checks.reuse import check_proxy, check_reuse, with_groups_from_file
from visatb.experiment.checks.taskgalaxy import check_taskgalaxy
from visatb.experiment.checks.zero_shot import check_zero_shot
from visatb.runtime.progress import say
from visatb.scores.metrics import JUDGED_METRICS, METRIC_NAMES
from visatb.training.deepspeed_config import check_deepspeed

REQUEST_KEYS = ("model", "messages", "n", "stream")
LOOKED_AT_TOGETHER = (
    {"tasks", "fixed_tasks", "groups", "given_weights"},
    {"given_weights", "variants", "methods"},
    {"balancing", "variants", "groups"},
    {"training", "resources"},
    {"tasks", "evaluation"},
    {"zero_shot", "methods", "evaluation"},
)
FOLLOW_FROM = {"tasks", "groups", "methods", "variants", "given_weights", "balancing"}
"""What the runs, and so all that `REUSE` says of them, follow from."""
REUSE = {"imports", "adding"}


def checked_configs(
    values: Mapping[str, Any], origin: str = "config"
) -> tuple[Config, ModelConfig, ModelConfig | None]:
    """Return the config, the model that it names and the one that it measures with, if that is another.

    Raises:
        VisatbError: with every mistake in both, in words, at once.
    """
    resolved, old_names, both_names = with_new_names(with_groups_from_file(resolve_extends(values)))
    config, mistakes = validate_leniently(Config, resolved)
    lines = [mistake.words for mistake in (*both_names, *mistakes)]
    if config is not None:
        lines += _not_due_to(mistakes, [*_check_across(config), *check_reuse(config)])
    model, in_model = checked_model("model", resolved.get("model"))
    proxy, in_proxy = checked_model("measure_with", resolved.get("measure_with"))
    if config is not None and model is not None and proxy is not None:
        in_proxy += check_proxy(config, model, proxy)
    refuse(lines + in_model + in_proxy, origin)
    for line in old_names:
        say(line)
    assert config is not None
    assert model is not None
    return config, model, proxy


def _check_across(config: Config) -> list[str]:
    checks = (
        _names,
        _groups,
        _sampling,
        _metrics,
        _judge,
        _served,
        check_methods,
        check_zero_shot,
        check_l2t,
        _taskgalaxy,
        _given_weights,
        _batches,
        _limits,
        check_data,
        _deepspeed,
    )
    return list(chain.from_iterable(check(config) for check in checks))


def _not_due_to(mistakes: Iterable[Mistake], lines: Iterable[str]) -> list[str]:
    """Leave out the lines about places whose values were taken away because of ``mistakes``."""
    hidden: set[str] = set()
    for mistake in mistakes:
        if mistake.is_unknown_key:
            hidden.add(place(mistake.path[:-1]) or "-")
            continue
        top = str(mistake.path[0])
        hidden |= {top}.union(*(keys for keys in LOOKED_AT_TOGETHER if top in keys))
    hidden |= REUSE if hidden & FOLLOW_FROM else set()
    return [line for line in lines if not any(_is_within(line.split(":")[0], section) for section in hidden)]


def _is_within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")


def _names(config: Config) -> Iterator[str]:
    names = [*config.tasks, *config.fixed_tasks]
    for name, count in Counter(map(str.casefold, names)).items():
        if count > 1:
            yield f"tasks: '{name}' is there {count} times (in tasks and fixed_tasks, or differing only in case)"
    for section in ("tasks", "fixed_tasks", "groups"):
        for name in getattr(config, section):
            if name in RESERVED_NAMES:
                yield f"{section}.{name}: this name has a meaning of its own here; choose another"


def _groups(config: Config) -> Iterator[str]:
    members = list(chain.from_iterable(config.groups.values()))
    for group, tasks in config.groups.items():
        if not tasks:
            yield f"groups.{group}: is empty; name its tasks or take it away"
        for task in tasks:
            yield from _unknown_task(config, f"groups.{group}", task)
        if group in config.tasks and group not in tasks:
            yield f"groups.{group}: is also the name of a task that is not in it; rename the group"
    for task, count in Counter(members).items():
        if count > 1:
            yield f"groups: '{task}' is named {count} times; a task belongs to one group"
    singles = [task for task in config.tasks if task not in members and task not in config.groups]
    count_of = Counter(map(str.casefold, [*config.groups, *singles]))
    for group in config.groups:
        if count_of[group.casefold()] > 1:
            yield f"groups.{group}: differs from another group or task only in case; rename one"
    number = len(config.groups) + len(singles)
    if number < 2:
        yield f"tasks: {number or 'no'} task or group to balance; balancing needs at least two"


def _unknown_task(config: Config, key: str, task: str) -> Iterator[str]:
    if task in config.fixed_tasks and not key.startswith("given_weights"):
        yield f"{key}: '{task}' is a fixed task and takes no part in balancing"
    elif task not in config.tasks and task not in config.fixed_tasks:
        yield f"{key}: there is no task '{task}'{did_you_mean(task, config.tasks) or _known(config.tasks)}"


def _known(names: Iterable[str]) -> str:
    return f"; the tasks are {', '.join(names)}"


def _sampling(config: Config) -> Iterator[str]:
    large, mini = config.sampling.large, config.sampling.mini
    if isinstance(large, float) and isinstance(mini, float) and mini >= large:
        yield (
            f"sampling: mini ({mini:g}) must be smaller than large ({large:g}); "
            "the mini subset is drawn from the large one"
        )


def _metrics(config: Config) -> Iterator[str]:
    for task, settings in config.tasks.items():
        for metric in settings.metrics:
            if metric not in METRIC_NAMES:
                known = did_you_mean(metric, METRIC_NAMES) or f"; known are {', '.join(METRIC_NAMES)}"
                yield f"tasks.{task}.metrics: there is no metric '{metric}'{known}"
        if len(set(settings.metrics)) < len(settings.metrics):
            yield f"tasks.{task}.metrics: a metric is named twice"


def _served(config: Config) -> Iterator[str]:
    if config.evaluation.endpoint:
        yield from check_served(config.evaluation.endpoint)


def _judge(config: Config) -> Iterator[str]:
    judge = config.evaluation.judge
    for task, settings in config.tasks.items():
        if not set(JUDGED_METRICS).isdisjoint(settings.metrics):
            if judge is None:
                yield f"tasks.{task}.metrics: 'judge' needs a judge; add evaluation.judge with its model and url"
        elif settings.judge_context:
            yield f"tasks.{task}.judge_context: no judge reads it; add 'judge' to the task's metrics or take it away"
    if judge is None:
        return
    yield from check_secrets("evaluation.judge", judge)
    for name in judge.parameters:
        if name in REQUEST_KEYS:
            yield f"evaluation.judge.parameters: '{name}' is set by the workflow itself; take it away"
    try:
        read_prompt(judge.prompt)
    except VisatbError as error:
        yield f"evaluation.judge.prompt: {error}"


def _taskgalaxy(config: Config) -> Iterator[str]:
    return check_taskgalaxy(config.taskgalaxy)


def _given_weights(config: Config) -> Iterator[str]:
    for name, weights in config.given_weights.items():
        key = f"given_weights.{name}"
        for task in weights:
            yield from _unknown_task(config, key, task)
        for task in config.tasks:
            if task not in weights:
                yield f"{key}: no weight for the task '{task}'; give every task one"


def _batches(config: Config) -> Iterator[str]:
    training = config.training
    kinds: dict[int, list[str]] = {}
    for kind in ("mini", "plus", "single", "final"):
        wanted = getattr(config.resources, kind)
        kinds.setdefault(max(1, wanted.gpus) * wanted.nodes, []).append(f"resources.{kind}")
    for devices, named in kinds.items():
        if training.global_batch_size % (training.micro_batch_size * devices):
            yield (
                f"training.global_batch_size: {training.global_batch_size} is no multiple of micro_batch_size "
                f"({training.micro_batch_size}) x {devices} device(s) of {' and '.join(named)}; change one of them"
            )


def _limits(config: Config) -> Iterator[str]:
    for kind, wanted in config.resources:
        for limited in ("mem_mb", "runtime") if isinstance(wanted, JobResources) else ():
            value, limit = getattr(wanted, limited), getattr(config.resources, f"max_{limited}")
            if limit is not None and value > limit:
                yield f"resources.{kind}.{limited}: {value} is above resources.max_{limited} ({limit})"


def _deepspeed(config: Config) -> Iterator[str]:
    file = config.training.deepspeed
    if file is not None and not Path(file).is_file():
        yield f"training.deepspeed: {no_such_file(file)}"
    elif file is not None:
        yield from (f"training.deepspeed: {mistake}" for mistake in check_deepspeed(file))
