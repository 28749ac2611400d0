"""Who is asked behind an OpenAI-compatible endpoint, and how. Needs nothing of the client that asks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LENGTH_PARAMETERS = ("max_tokens", "max_completion_tokens")
"""The parameters by which endpoints bound the length of a reply."""


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
        address_key: the key of that section that holds the address.
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
    address_key: str = "endpoint"
    prices: tuple[float, float] | None = None
    image_tokens: int = 0


def longest_reply(parameters: Mapping[str, Any]) -> int | None:
    """Return the most tokens that a reply may have, or None if no parameter bounds it."""
    found = [parameters[name] for name in LENGTH_PARAMETERS if name in parameters]
    return min(map(int, found)) if found else None
