"""How the endpoints of a stage are reached, which is no part of its job, and the keys that they need."""

import os
from pathlib import Path
from typing import Any

from visatb.config.endpoints import OPENAI
from visatb.config.taskgalaxy import ModelEndpoint, TaskGalaxyConfig
from visatb.endpoints.endpoint import Endpoint, endpoint_of
from visatb.errors import VisatbError, bullet_list
from visatb.runtime.untracked import VARIABLE, untracked
from visatb.taskgalaxy.asking import Asking
from visatb.taskgalaxy.jobs import RequestJob

SECTION = "taskgalaxy"
"""Where `visatb.taskgalaxy.jobs.connections` stands among what runs no job again."""


def require_keys(config: TaskGalaxyConfig) -> None:
    """Raise one `VisatbError` with every key that is not in the environment, or return.

    A key is needed by OpenAI itself, and wherever the config names its variable; a local server needs none.
    """
    used = {config.expansion.endpoint, config.filter.endpoint, config.writing.endpoint, *config.voting.endpoints}
    missing = [
        f"taskgalaxy.endpoints.{name}: {endpoint.url} needs a key, and {endpoint.key_variable} is not set"
        for name, endpoint in config.endpoints.items()
        if name in used
        and (endpoint.url == OPENAI or "key_variable" in endpoint.model_fields_set)
        and not os.environ.get(endpoint.key_variable)
    ]
    if missing:
        raise VisatbError(f"set these environment variables, or name others in key_variable:\n{bullet_list(missing)}")


def asking_of(stage: str, job: RequestJob, replies: Path) -> Asking:
    """Return how a stage asks; its replies are kept in a folder of ``replies``."""
    return Asking(stage, replies, job.attempts, _connections()["budget"])


def endpoints_of(job: RequestJob) -> list[Endpoint]:
    """Return the models of a job with how they are reached.

    Raises:
        VisatbError: the workflow has not told how.
    """
    reached = _connections()["endpoints"]
    return [
        _endpoint(model.name, ModelEndpoint.model_validate(reached[model.name] | model.model_dump(exclude={"name"})))
        for model in job.models
    ]


def _connections() -> dict[str, Any]:
    values = untracked(SECTION)
    if not values:
        raise VisatbError(f"{VARIABLE} does not say how the endpoints of {SECTION} are reached; the workflow sets it")
    return values


def _endpoint(name: str, settings: ModelEndpoint) -> Endpoint:
    return endpoint_of(
        settings,
        name=name,
        role=f"the endpoint '{name}'",
        section=f"{SECTION}.endpoints.{name}",
        prices=(settings.prices.input, settings.prices.output) if settings.prices else None,
        image_tokens=settings.image_tokens,
    )
