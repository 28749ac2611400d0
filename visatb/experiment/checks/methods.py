"""Mistakes in a config about balancing, methods and variants that only show when keys are looked at together."""

from collections import Counter
from collections.abc import Iterator
from itertools import chain

from visatb.balancing.run_names import RunName, is_reserved
from visatb.config.balancing import METHODS
from visatb.config.schema import RESERVED_NAMES, Config
from visatb.errors import did_you_mean
from visatb.experiment.runs import balancings


def check_methods(config: Config) -> Iterator[str]:
    """Yield one line for each mistake."""
    checks = (_balancings, _seeds, _methods, _igbv1, _own_methods)
    yield from chain.from_iterable(check(config) for check in checks)


def _balancings(config: Config) -> Iterator[str]:
    for name, balancing in balancings(config).items():
        section = "balancing" if name == "visatb" else f"variants.{name}"
        own = config.balancing if name == "visatb" else config.variants[name]
        total = balancing.alpha.out + balancing.alpha.in_ + balancing.alpha.difficulty
        if own.alpha is not None and abs(total - 1) > 1e-6:
            yield f"{section}.alpha: out + in + difficulty must be 1, found {total:g}"
        if balancing.form == "simple" and balancing.difficulty == "repurposed":
            yield (
                f"{section}.difficulty: the simple form has no mini run to repurpose; take it away, or make it precise"
            )
        for name in ("seeds", "mini_seeds") if balancing.form == "simple" else ():
            if (seeds := getattr(balancing, name) or 1) > 1:
                yield f"{section}.form: simple has no mini and plus runs; set balancing.{name} to 1, not {seeds}"
        if balancing.form == "simple" and own.form is not None:
            for group, tasks in config.groups.items():
                if len(tasks) > 1:
                    yield f"{section}.form: simple has runs on single tasks alone; take the group '{group}' away"


def _seeds(config: Config) -> Iterator[str]:
    """Yield the groups whose ``plus-`` run has the name of another's repetition."""
    grouped = {task for tasks in config.groups.values() for task in tasks}
    groups = [*config.groups, *(task for task in config.tasks if task not in grouped)]
    runs = {group: RunName("plus", group) for group in groups}
    again = {str(repetition): run for run in runs.values() for repetition in run.repeated(config.balancing.seeds)[1:]}
    for run in map(str, runs.values()):
        if (other := again.get(run)) is not None:
            yield f"balancing.seeds: {run} is also a repetition of {other}; rename the task or group"


def _methods(config: Config) -> Iterator[str]:
    known = [*METHODS, *config.variants, *config.given_weights]
    for method in config.methods:
        if method not in known:
            hint = did_you_mean(method, known) or f"; known are {', '.join(known)}"
            yield f"methods: there is no method '{method}'{hint}"
    for method, count in Counter(config.methods).items():
        if count > 1:
            yield f"methods: '{method}' is named {count} times"


def _igbv1(config: Config) -> Iterator[str]:
    if config.igbv1.first_step > config.igbv1.last_step:
        yield f"igbv1.last_step: {config.igbv1.last_step} is before first_step ({config.igbv1.first_step})"


def _own_methods(config: Config) -> Iterator[str]:
    """Yield what is wrong with the names of variants and given weights, which become names of runs."""
    names = [(section, name) for section in ("variants", "given_weights") for name in getattr(config, section)]
    for section, name in names:
        if name.casefold() in (*METHODS, *RESERVED_NAMES) or is_reserved(name):
            yield f"{section}.{name}: this is the name of a run already; choose another"
        elif name not in config.methods:
            yield f"{section}.{name}: no run would use it; add '{name}' to methods, or take it away"
    first: dict[str, str] = {}
    for section, name in names:
        if (other := first.setdefault(name.casefold(), section)) != section:
            yield f"{section}.{name}: there is such a name under {other} already; choose another"
    for section in ("variants", "given_weights"):
        for name, count in Counter(n.casefold() for s, n in names if s == section).items():
            if count > 1:
                yield f"{section}: '{name}' is there {count} times, differing only in case"
