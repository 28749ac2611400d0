"""What TaskGalaxy will ask, in requests, tokens and money, before anything is sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

import pandas as pd

from visatb.config.endpoints import longest_reply
from visatb.config.taskgalaxy import TaskGalaxyConfig
from visatb.endpoints.prompts import Prompt
from visatb.runtime.tables import text_table
from visatb.taskgalaxy.pictures import picture_names
from visatb.taskgalaxy.prompt_files import read_prompts
from visatb.taskgalaxy.types import read_seeds

CHARACTERS_PER_TOKEN = 4
"""Of English text, roughly."""


@dataclass(frozen=True)
class _Stage:
    name: str
    endpoint: str
    requests: int
    at_most: int
    characters: int
    pictures: bool


def plan(
    config: TaskGalaxyConfig,
    seeds: Mapping[str, Mapping[str, Sequence[str]]],
    pictures: int,
    prompts: Mapping[str, Prompt],
) -> pd.DataFrame:
    """Return a row a stage and endpoint.

    It has ``stage``, ``endpoint``, ``model``, ``requests``, ``prompt_tokens``, ``completion_tokens``, ``price`` and, if
    every candidate is kept and every reply is as long and as often asked for as allowed, ``requests_at_most``
    and ``price_at_most``. Prices are empty where the endpoint has none.

    Args:
        config: the section.
        seeds: the seed types.
        pictures: how many there are.
        prompts: ``expand``, ``filter``, ``write`` and ``vote``.
    """
    stages = _stages(config, seeds, pictures, prompts)
    return pd.DataFrame([_row(config, stage) for stage in stages])


def _stages(
    config: TaskGalaxyConfig,
    seeds: Mapping[str, Mapping[str, Sequence[str]]],
    pictures: int,
    prompts: Mapping[str, Prompt],
) -> list[_Stage]:
    expansion, matching = config.expansion, config.matching
    families = len(seeds) + expansion.level_1
    kinds = sum(map(len, seeds.values())) + families * expansion.level_2
    leaves = sum(len(threes) for twos in seeds.values() for threes in twos.values()) + kinds * expansion.level_3
    places = bool(expansion.level_1) + families * bool(expansion.level_2) + kinds * bool(expansion.level_3)
    matches = min(pictures * min(matching.top_k, leaves), leaves * matching.cap)
    looked_at = min(pictures, matches)
    kept = ceil(matches * config.assumptions.kept_types)
    length = {name: len(prompt.system) + len(prompt.user) for name, prompt in prompts.items()}
    exchange = config.assumptions.reply_tokens * CHARACTERS_PER_TOKEN
    per_picture = ceil(matches / looked_at) if looked_at else 0
    return [
        _Stage("expand_types", expansion.endpoint, places, places, length["expand"] + 300, False),
        _Stage("filter_types", config.filter.endpoint, looked_at, looked_at, length["filter"] + 60 * per_picture, True),
        _Stage("write_questions", config.writing.endpoint, kept, matches, length["write"] + 60, True),
        *(
            _Stage("vote", judge, kept, matches, length["vote"] + 60 + exchange, True)
            for judge in config.voting.endpoints
        ),
    ]


def _row(config: TaskGalaxyConfig, stage: _Stage) -> dict[str, object]:
    settings = config.endpoints[stage.endpoint]
    prompt_tokens = ceil(stage.characters / CHARACTERS_PER_TOKEN) + stage.pictures * settings.image_tokens
    longest = longest_reply(settings.parameters) or config.assumptions.reply_tokens
    completion_tokens = min(config.assumptions.reply_tokens, longest)
    at_most = stage.at_most * config.attempts
    prices = settings.prices
    return {
        "stage": stage.name,
        "endpoint": stage.endpoint,
        "model": settings.model,
        "requests": stage.requests,
        "prompt_tokens": stage.requests * prompt_tokens,
        "completion_tokens": stage.requests * completion_tokens,
        "price": prices and stage.requests * (prompt_tokens * prices.input + completion_tokens * prices.output) / 1e6,
        "requests_at_most": at_most,
        "price_at_most": prices and at_most * (prompt_tokens * prices.input + longest * prices.output) / 1e6,
    }


def format_plan(table: pd.DataFrame, budget: float | None) -> str:
    """Return the plan for people, with its sums and what the budget makes of it."""
    shown = table.drop(columns="model")
    lines = [text_table(shown.map(_cell))]
    price = table["price"].sum(min_count=1)
    if pd.notna(price):
        lines.append(f"In all {_cell(price)}, at most {_cell(table['price_at_most'].sum())}, of endpoints with prices.")
    else:
        lines.append("No endpoint has prices: what this costs is not known.")
    if budget is not None:
        within = "enough for" if pd.isna(price) or price <= budget else "NOT enough for"
        lines.append(f"The budget is {_cell(budget)}: {within} the plan. No request is sent that might exceed it.")
    return "\n\n".join([lines[0], "\n".join(lines[1:])])


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and value != value):
        return ""
    return f"{value:,.2f}" if isinstance(value, float) else f"{value:,}" if isinstance(value, int) else str(value)


def planned(config: TaskGalaxyConfig) -> pd.DataFrame:
    """Return the plan of a section, from the seeds, prompts and pictures that lie there now."""
    return plan(config, read_seeds(config.seeds), len(picture_names(config.images)), read_prompts(config))
