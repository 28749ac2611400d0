"""Mistakes in a config that only show when its keys are looked at together."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import chain

from visatb.config import METHODS, RESERVED_NAMES, Config
from visatb.config_loading import did_you_mean
from visatb.errors import VisatbError, bullet_list
from visatb.evaluation.metric_names import METRIC_NAMES


def check_config(config: Config, origin: str = "config") -> None:
    """Raise one `VisatbError` with every cross-field mistake of ``config``, or return."""
    checks = (_names, _groups, _sampling, _metrics, _alpha, _methods, _given_weights, _batches, _split_files)
    mistakes = list(chain.from_iterable(check(config) for check in checks))
    if mistakes:
        raise VisatbError(f"{origin} has {len(mistakes)} mistake(s):\n{bullet_list(mistakes)}")


def _names(config: Config) -> Iterator[str]:
    names = [*config.tasks, *config.fixed_tasks]
    for name, count in Counter(map(str.casefold, names)).items():
        if count > 1:
            yield f"tasks: '{name}' is there {count} times (in tasks and fixed_tasks, or differing only in case)"
    for name in names:
        if name in RESERVED_NAMES:
            yield f"tasks.{name}: this name has a meaning of its own here; call the task something else"
    for group in config.groups:
        if group in RESERVED_NAMES:
            yield f"groups.{group}: this name has a meaning of its own here; call the group something else"


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
            yield f"groups: '{task}' is in {count} groups; a task belongs to one"
    number = len(config.groups) + sum(task not in members for task in config.tasks)
    if number < 2:
        yield f"tasks: {number} group(s) to balance; balancing needs at least two tasks or groups"


def _unknown_task(config: Config, place: str, task: str) -> Iterator[str]:
    if task in config.fixed_tasks and not place.startswith("given_weights"):
        yield f"{place}: '{task}' is a fixed task and takes no part in balancing"
    elif task not in config.tasks and task not in config.fixed_tasks:
        yield f"{place}: there is no task '{task}'{did_you_mean(task, config.tasks) or _known(config.tasks)}"


def _known(names: Iterable[str]) -> str:
    return f"; the tasks are {', '.join(names)}"


def _sampling(config: Config) -> Iterator[str]:
    if config.sampling.mini >= config.sampling.large:
        yield (
            f"sampling: mini ({config.sampling.mini:g}) must be smaller than large ({config.sampling.large:g}); "
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


def _alpha(config: Config) -> Iterator[str]:
    alpha = config.balancing.alpha
    total = alpha.out + alpha.in_ + alpha.difficulty
    if abs(total - 1) > 1e-6:
        yield f"balancing.alpha: out + in + difficulty must be 1, found {total:g}"


def _methods(config: Config) -> Iterator[str]:
    known = [*METHODS, *config.given_weights]
    for method in config.methods:
        if method not in known:
            hint = did_you_mean(method, known) or f"; known are {', '.join(known)}"
            yield f"methods: there is no method '{method}'{hint}"
    for method, count in Counter(config.methods).items():
        if count > 1:
            yield f"methods: '{method}' is named {count} times"


def _given_weights(config: Config) -> Iterator[str]:
    for name, weights in config.given_weights.items():
        if (
            name in METHODS
            or name.startswith(("plus-", "single-", "mini-only-", "large-only-"))
            or name in RESERVED_NAMES
        ):
            yield f"given_weights.{name}: this is the name of a run already; choose another"
        for task in weights:
            yield from _unknown_task(config, f"given_weights.{name}", task)
        for task in config.tasks:
            if task not in weights:
                yield f"given_weights.{name}: no weight for the task '{task}'; give every task one"


def _batches(config: Config) -> Iterator[str]:
    training = config.training
    for kind in ("preparation", "final"):
        wanted = getattr(config.resources, kind)
        devices = wanted.nodes * max(1, wanted.gpus)
        if training.global_batch_size % (training.micro_batch_size * devices):
            yield (
                f"training.global_batch_size: {training.global_batch_size} is no multiple of micro_batch_size "
                f"({training.micro_batch_size}) x {devices} device(s) of resources.{kind}; change one of them"
            )


def _split_files(config: Config) -> Iterator[str]:
    for task, settings in config.tasks.items():
        files = list(chain(settings.data.train, settings.data.val, settings.data.test))
        for file, count in Counter(files).items():
            if count > 1:
                yield f"tasks.{task}.data: {file} is named {count} times; train, val and test must not share samples"
