"""The endpoints of a config's `taskgalaxy` as those who ask know them."""

from visatb.config_taskgalaxy import TaskGalaxyConfig
from visatb.endpoint_words import Endpoint


def endpoint_named(config: TaskGalaxyConfig, name: str) -> Endpoint:
    """Return an endpoint of the section by its name."""
    one = config.endpoints[name]
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
