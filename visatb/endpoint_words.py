"""Who is asked behind an OpenAI-compatible endpoint, and what a failure there is called in words."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import openai

from visatb.errors import VisatbError


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


class NoCompletionError(Exception):
    """The endpoint answered with something else than a chat completion."""


def words_of(error: Exception, endpoint: Endpoint) -> str:
    """Return what went wrong and what to do, without the key."""
    if isinstance(error, VisatbError):
        return str(error).rstrip(".")
    key = os.environ.get(endpoint.key_variable, "")
    said = " ".join(str(getattr(error, "message", error)).split())[:300]
    said = said.replace(key, "***") if key else said
    address = f"{endpoint.section}.{endpoint.address_key}"
    attempts = f"{endpoint.retries + 1} attempt(s)"
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():  # endpoints quote parts of the key here
            held = f"the key in {endpoint.key_variable}" if key else f"no key ({endpoint.key_variable} is not set)"
            what = f"refuses {held} (status {error.status_code}); set the environment variable to a valid key"
        case openai.NotFoundError():
            what = (
                f"knows no model '{endpoint.model}', or is no such address (it usually ends in /v1); "
                f"it said: {said}; look at {endpoint.section}.model and {endpoint.address_key}"
            )
        case openai.APITimeoutError() | TimeoutError():
            what = (
                f"gave no reply within {endpoint.timeout:g} s, in {attempts}; "
                f"raise {endpoint.section}.timeout, or lower concurrency"
            )
        case openai.APIConnectionError():
            what = f"cannot be reached ({error.__cause__ or said}), in {attempts}; look at {address}"
        case openai.RateLimitError():
            what = f"asks for fewer requests, or its quota is used up (status 429), in {attempts}; it said: {said}"
        case openai.InternalServerError():
            what = f"fails (status {error.status_code}), in {attempts}; it said: {said}"
        case openai.APIStatusError():
            what = (
                f"refuses the request (status {error.status_code}); it said: {said}; "
                f"look at {endpoint.section}.parameters"
            )
        case _:
            what = f"sent no chat completion but: {said}; look at {address}"
    return f"{endpoint.role} at {endpoint.url} {what}"
