"""The endpoints of a config: what a reply depends on, apart from how it is had.

So a workflow can let another address, price or budget make nothing again.
"""

import json
import os

from visatb.config.endpoints import OPENAI
from visatb.config.taskgalaxy import ModelEndpoint, TaskGalaxyConfig
from visatb.endpoints.endpoint import Endpoint, endpoint_of
from visatb.errors import VisatbError, bullet_list

REQUESTED = ("model", "parameters")
"""The keys of an endpoint that a reply depends on."""


def requested(config: TaskGalaxyConfig, name: str) -> str:
    """Return what ``--endpoint`` is given: all that a reply depends on."""
    return json.dumps({"name": name} | config.endpoints[name].model_dump(include=set(REQUESTED)), sort_keys=True)


def connections(config: TaskGalaxyConfig) -> str:
    """Return what ``--connections`` is given."""
    reached = {name: one.model_dump(exclude=set(REQUESTED)) for name, one in config.endpoints.items()}
    return json.dumps({"endpoints": reached, "budget": config.budget}, sort_keys=True)


def require_keys(config: TaskGalaxyConfig) -> None:
    """Raise one `VisatbError` with every key that is not in the environment, or return.

    A key is needed by OpenAI itself, and wherever the config names its variable; a local server needs none.
    """
    asked = {config.expansion.endpoint, config.filter.endpoint, config.writing.endpoint, *config.voting.endpoints}
    missing = [
        f"taskgalaxy.endpoints.{name}: {one.url} needs a key, and {one.key_variable} is not set"
        for name, one in config.endpoints.items()
        if name in asked
        and (one.url == OPENAI or "key_variable" in one.model_fields_set)
        and not os.environ.get(one.key_variable)
    ]
    if missing:
        raise VisatbError(f"set these environment variables, or name others in key_variable:\n{bullet_list(missing)}")


def endpoint_from(name: str, one: ModelEndpoint) -> Endpoint:
    """Return an endpoint of the config as those who ask know it."""
    return endpoint_of(
        one,
        name=name,
        role=f"the endpoint '{name}'",
        section=f"taskgalaxy.endpoints.{name}",
        prices=(one.prices.input, one.prices.output) if one.prices else None,
        image_tokens=one.image_tokens,
    )
