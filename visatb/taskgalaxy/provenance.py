"""What a data set was made of, for those who train on it: sources, models, prompts, numbers."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from visatb import __version__
from visatb.config.endpoints import Connection
from visatb.config.taskgalaxy import TaskGalaxyConfig
from visatb.runtime.tables import text_table

_NUMBERS = ("given", "kept", "rejected", "requests", "prompt_tokens", "completion_tokens")


def provenance(config: TaskGalaxyConfig, files: Mapping[str, str | Path], funnel: pd.DataFrame) -> dict[str, Any]:
    """Return what the exported files follow from, as JSON values.

    Args:
        config: the section. Addresses and names of key variables are left out: they change nothing.
        files: name -> seeds, prompts and exported files, whose SHA-256 is noted.
        funnel: the stages' numbers.
    """
    hidden: dict[str, Any] = {"endpoints": {"__all__": set(Connection.model_fields)}}
    settings = config.model_dump(exclude={**hidden, "budget": True, "browse": True})
    digests = {name: hashlib.sha256(Path(path).read_bytes()).hexdigest() for name, path in files.items()}
    stages = [
        {name: None if pd.isna(value) else value for name, value in row.items()} for row in funnel.to_dict("records")
    ]
    return {"visatb": __version__, "settings": settings, "sha256": digests, "stages": stages}


def format_provenance(values: Mapping[str, Any], reasons: pd.DataFrame, tasks: pd.DataFrame) -> str:
    """Return the same for people: numbers of each stage, reasons of rejection, models, tasks."""
    settings = values["settings"]
    stages = pd.DataFrame(values["stages"])
    models = stages.dropna(subset=["models"])[["stage", "models"]]
    parts = [
        "# What these data were made of",
        f"Pictures of `{settings['images']}`, types grown from `{settings['seeds']}`, matched by "
        f"`{settings['embedding']['checkpoint']}`.",
        "## Stages",
        _block(stages[["stage", "unit", *_NUMBERS]]),
        "## Models that answered",
        _block(models),
        "## Why the others did not go on",
        _block(reasons),
        "## Tasks",
        _block(tasks.drop(columns="examples")),
    ]
    return "\n\n".join(parts) + "\n"


def format_funnel(stages: pd.DataFrame) -> str:
    """Return the funnel as a table of text."""
    return text_table(_words(stages[["stage", "unit", *_NUMBERS]]), left=["stage", "unit"])


def _block(table: pd.DataFrame) -> str:
    return f"```\n{text_table(_words(table), left=list(table.columns[:2]))}\n```"


def _words(table: pd.DataFrame) -> pd.DataFrame:
    return table.map(lambda value: "" if pd.isna(value) else f"{value:.0f}" if isinstance(value, float) else str(value))
