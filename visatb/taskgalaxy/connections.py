"""The endpoints of a config: what a reply depends on, apart from how it is had.

So a workflow can let another address, price or budget make nothing again.
"""

import json

from visatb.config_taskgalaxy import ModelEndpoint, TaskGalaxyConfig
from visatb.endpoint import Endpoint

REQUESTED = ("model", "parameters")
"""The keys of an endpoint that a reply depends on."""


def requested(config: TaskGalaxyConfig, name: str) -> str:
    """Return what ``--endpoint`` is given: all that a reply depends on."""
    return json.dumps({"name": name} | config.endpoints[name].model_dump(include=set(REQUESTED)), sort_keys=True)


def connections(config: TaskGalaxyConfig) -> str:
    """Return what ``--connections`` is given."""
    reached = {name: one.model_dump(exclude=set(REQUESTED)) for name, one in config.endpoints.items()}
    return json.dumps({"endpoints": reached, "budget": config.budget}, sort_keys=True)


def endpoint_from(name: str, one: ModelEndpoint) -> Endpoint:
    """Return an endpoint of the config as those who ask know it."""
    return Endpoint(
        url=one.address,
        model=one.model,
        parameters=dict(one.parameters),
        key_variable=one.key_variable,
        concurrency=one.concurrency,
        timeout=one.timeout,
        retries=one.retries,
        name=name,
        role=f"the endpoint '{name}'",
        section=f"taskgalaxy.endpoints.{name}",
        address_key="address",
        prices=(one.prices.input, one.prices.output) if one.prices else None,
        image_tokens=one.image_tokens,
    )
