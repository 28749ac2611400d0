"""Mistakes in a config's `taskgalaxy` that only show when keys are looked at together, or when a file is read."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field

from visatb.config.endpoints import LENGTH_PARAMETERS, check_secrets
from visatb.config.loading import refuse, resolve_extends, validate_leniently
from visatb.config.renamed import with_new_names
from visatb.config.resources import ResourcesConfig
from visatb.config.taskgalaxy import ModelEndpoint, TaskGalaxyConfig
from visatb.config.types import Section
from visatb.errors import VisatbError, did_you_mean
from visatb.runtime.progress import say
from visatb.taskgalaxy.prompt_files import read_prompts
from visatb.taskgalaxy.types import read_seeds

REQUEST_KEYS = ("model", "messages", "n", "stream")
EXPERIMENT_KEYS = ("experiment", "model", "tasks")
"""A config that has none of these makes a data set and nothing else."""


class DataSetConfig(Section):
    """A config that makes a data set, without an experiment."""

    taskgalaxy: TaskGalaxyConfig = Field(description="the data set")
    resources: ResourcesConfig = Field(ResourcesConfig(), description="limits of what jobs ask the scheduler for")


def makes_data_alone(values: Mapping[str, Any]) -> bool:
    """Return whether a config, with what it extends, is of a data set without an experiment."""
    resolved = resolve_extends(values)
    return "taskgalaxy" in resolved and not any(key in resolved for key in EXPERIMENT_KEYS)


def checked_data_set(values: Mapping[str, Any], origin: str = "config") -> DataSetConfig:
    """Return a config that makes a data set alone.

    Raises:
        VisatbError: with every mistake in it, in words, at once.
    """
    resolved, old_names, both_names = with_new_names(resolve_extends(values))
    config, mistakes = validate_leniently(DataSetConfig, resolved)
    lines = [mistake.words for mistake in (*both_names, *mistakes)]
    if config is not None and not lines:
        lines += check_taskgalaxy(config.taskgalaxy)
    refuse(lines, origin)
    for line in old_names:
        say(line)
    assert config is not None
    return config


def check_taskgalaxy(section: TaskGalaxyConfig | None) -> Iterator[str]:
    """Yield one line for each mistake."""
    if section is None:
        return
    yield from _check_endpoint_names(section)
    for name, endpoint in section.endpoints.items():
        yield from _check_endpoint(f"taskgalaxy.endpoints.{name}", endpoint, with_budget=section.budget is not None)
    if section.voting.min_votes > len(section.voting.endpoints):
        yield (
            f"taskgalaxy.voting.min_votes: {section.voting.min_votes} votes of {len(section.voting.endpoints)} judges "
            "cannot be; lower it, or name more endpoints"
        )
    places = set(re.findall(r"\{(\w*)\}", section.embedding.text))
    if not places or not places <= {"level_1", "level_2", "level_3"}:
        yield "taskgalaxy.embedding.text: expected a text with {level_1}, {level_2} or {level_3} in it, and no others"
    try:
        read_seeds(section.seeds)
    except VisatbError as error:
        yield f"taskgalaxy.seeds: {error}"
    try:
        read_prompts(section)
    except VisatbError as error:
        yield f"taskgalaxy: {error}"


def _check_endpoint_names(section: TaskGalaxyConfig) -> Iterator[str]:
    named = [("expansion.endpoint", section.expansion.endpoint), ("filter.endpoint", section.filter.endpoint)]
    named += [("writing.endpoint", section.writing.endpoint)]
    named += [("voting.endpoints", name) for name in section.voting.endpoints]
    for key, name in named:
        if name not in section.endpoints:
            hint = did_you_mean(name, section.endpoints) or f"; they are {', '.join(section.endpoints)}"
            yield f"taskgalaxy.{key}: there is no endpoint '{name}'{hint}"
    for name, count in Counter(section.voting.endpoints).items():
        if count > 1:
            yield f"taskgalaxy.voting.endpoints: '{name}' is there {count} times; a judge has one vote"


def _check_endpoint(section: str, endpoint: ModelEndpoint, with_budget: bool) -> Iterator[str]:
    yield from check_secrets(section, endpoint)
    for name in endpoint.parameters:
        if name in REQUEST_KEYS:
            yield f"{section}.parameters: '{name}' is set by the workflow itself; take it away"
    lengths = [endpoint.parameters[name] for name in LENGTH_PARAMETERS if name in endpoint.parameters]
    if any(isinstance(length, bool) or not isinstance(length, int) or length < 1 for length in lengths):
        yield f"{section}.parameters: expected a whole number above 0 of {' or '.join(LENGTH_PARAMETERS)}"
    if endpoint.prices and not lengths:
        yield f"{section}.parameters: with prices, max_tokens says how dear a reply can be; add it"
    if with_budget and endpoint.prices is None:
        yield f"{section}.prices: needed, for there is a budget; 0 for what costs nothing"
