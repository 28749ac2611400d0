"""The prompts of the stages, and the places that each has."""

from pathlib import Path

from visatb.config.taskgalaxy import TaskGalaxyConfig
from visatb.endpoints.prompts import Prompt, read_prompt_file

PLACES = {
    "expand": ("parent", "known", "number"),
    "filter": ("types",),
    "write": ("type",),
    "vote": ("type", "question", "answer"),
}


def read_prompt(stage: str, path: str | Path) -> Prompt:
    """Read the prompt of ``expand``, ``filter``, ``write`` or ``vote``; raises `VisatbError` with its mistakes."""
    return read_prompt_file(path, f"prompt to {stage}", PLACES[stage], PLACES[stage])


def prompt_paths(config: TaskGalaxyConfig) -> dict[str, str]:
    """Return stage -> its prompt's file."""
    return {
        "expand": config.expansion.prompt,
        "filter": config.filter.prompt,
        "write": config.writing.prompt,
        "vote": config.voting.prompt,
    }


def read_prompts(config: TaskGalaxyConfig) -> dict[str, Prompt]:
    """Read all prompts."""
    return {stage: read_prompt(stage, path) for stage, path in prompt_paths(config).items()}
