"""An endpoint as those who ask know it, made from a section of the config."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError

from visatb.config.endpoints import Connection, EndpointConfig
from visatb.config.messages import schema_mistakes
from visatb.errors import VisatbError, bullet_list
from visatb.runtime.untracked import VARIABLE, untracked

Reached = TypeVar("Reached", bound=Connection)


@dataclass(frozen=True)
class Endpoint:
    """Whom to ask, and how.

    Attributes:
        url: base address of the API, usually ending in ``/v1``.
        model: the name by which the endpoint knows the model.
        parameters: sent with each request, such as temperature and max_tokens.
        key_variable: the environment variable that holds the key; where it is not set, no key is sent.
        concurrency: requests at a time.
        timeout: seconds that one attempt may take.
        retries: further attempts after one that failed in passing (connection, 408, 409, 429, 5xx).
        name: tells it apart from the others that are asked together.
        role: what messages call it.
        section: of the config, for messages.
        prices: of a million prompt tokens and of a million tokens of replies, None if they are not known.
        image_tokens: prompt tokens that a picture counts as, before the endpoint has told.
    """

    url: str
    model: str
    parameters: Mapping[str, Any]
    key_variable: str
    concurrency: int
    timeout: float
    retries: int
    name: str = "judge"
    role: str = "the judge"
    section: str = "evaluation.judge"
    prices: tuple[float, float] | None = None
    image_tokens: int = 0


def endpoint_of(config: EndpointConfig, **more: Any) -> Endpoint:
    """Return the endpoint that a section of the config describes.

    Args:
        config: model, parameters and connection.
        more: ``name``, ``role``, ``section``, ``prices`` and ``image_tokens`` of `Endpoint`, where they differ from a
            judge's.
    """
    return Endpoint(model=config.model, parameters=dict(config.parameters), **config.connection, **more)


def reached(schema: type[Reached], section: str, **requested: Any) -> Reached:
    """Return a section of the config whose connection is in the environment (`visatb.runtime.untracked`).

    Args:
        schema: of the section.
        section: its path of keys, e.g. ``evaluation.judge``.
        requested: the keys that replies depend on.

    Raises:
        VisatbError: naming the keys of the connection that are missing there or do not fit.
    """
    try:
        return schema.model_validate({**untracked(section), **requested})
    except ValidationError as error:
        lines = [f"{section}.{mistake.words}" for mistake in schema_mistakes(schema, error)]
        raise VisatbError(f"in the environment variable {VARIABLE}:\n{bullet_list(lines)}") from None
