"""Mistakes in a config's `zero_shot` that only show when keys are looked at together."""

import re
from collections import Counter
from collections.abc import Iterator

from visatb.config.endpoints import check_secrets
from visatb.config.schema import Config
from visatb.config.zero_shot import ServerConfig
from visatb.errors import did_you_mean
from visatb.evaluation.zero_shot.benchmarks import KNOWN
from visatb.evaluation.zero_shot.plan import benchmarks

SET_HERE = ("pretrained", "device", "device_map", "batch_size", "trust_remote_code")


def check_zero_shot(config: Config) -> Iterator[str]:
    """Yield one line for each mistake."""
    section = config.zero_shot
    if section is None:
        return
    yield from _benchmarks(config)
    yield from _methods(config)
    if section.endpoint:
        yield from _endpoint(section.endpoint)
        if section.loader or section.loader_arguments:
            yield "zero_shot.endpoint: a server answers, so nothing is loaded; take loader and loader_arguments away"
    for name in section.loader_arguments:
        if name in SET_HERE:
            yield f"zero_shot.loader_arguments: '{name}' is set by the workflow itself; take it away"


def _benchmarks(config: Config) -> Iterator[str]:
    assert config.zero_shot is not None
    for name, settings in config.zero_shot.benchmarks.items():
        section = f"zero_shot.benchmarks.{name}"
        if name not in KNOWN and not (settings.task and settings.metric):
            hint = did_you_mean(name, KNOWN) or f"; known are {', '.join(KNOWN)}"
            yield f"{section}: not known by itself{hint}; of any other, name lmms-eval's task and its metric"
        if settings.data and settings.task and not settings.task.endswith(".yaml"):
            yield f"{section}.data: goes with a task file; lmms-eval's own task '{settings.task}' names its data"
        if settings.image_folder and not settings.data:
            yield f"{section}.image_folder: goes with data, and is needed where its pictures are files"
    for name, count in Counter(map(str.casefold, config.zero_shot.benchmarks)).items():
        if count > 1:
            yield f"zero_shot.benchmarks: '{name}' is there {count} times, differing only in case"
    judged = [benchmark.name for benchmark in benchmarks(config) if benchmark.is_judged]
    if judged and config.evaluation.judge is None:
        yield f"zero_shot.benchmarks.{judged[0]}: needs a judge; add evaluation.judge with its model and url"


def _methods(config: Config) -> Iterator[str]:
    assert config.zero_shot is not None
    for method in config.zero_shot.methods or ():
        if method == "stl":
            yield "zero_shot.methods: 'stl' is one model a task, none of which is to answer everything; take it away"
        elif method not in config.methods:
            hint = did_you_mean(method, config.methods) or f"; they are {', '.join(config.methods)}"
            yield f"zero_shot.methods: '{method}' is not among methods{hint}"
    if config.zero_shot.methods == [] or set(config.methods) <= {"stl"}:
        yield "zero_shot.methods: nobody is left to answer; name a method, or take zero_shot away"


def _endpoint(endpoint: ServerConfig) -> Iterator[str]:
    yield from check_secrets("zero_shot.endpoint", endpoint)
    if "{run}" not in endpoint.url + endpoint.model:
        yield "zero_shot.endpoint: every run would ask the same model; put {run} into its url or model"
    for field in ("url", "model"):
        if re.sub(r"\{run\}", "", getattr(endpoint, field)).count("{") or "," in getattr(endpoint, field):
            yield f"zero_shot.endpoint.{field}: {{run}} is the only place to fill, and there must be no comma"
