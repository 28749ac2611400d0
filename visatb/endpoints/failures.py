"""What a failure of an endpoint is called in words."""

import os

import openai

from visatb.endpoints.endpoint import Endpoint
from visatb.errors import VisatbError


class NoCompletionError(Exception):
    """The endpoint answered with something else than a chat completion."""


def words_of(error: Exception, endpoint: Endpoint) -> str:
    """Return what went wrong and what to do, without the key."""
    if isinstance(error, VisatbError):
        return str(error).rstrip(".")
    key = os.environ.get(endpoint.key_variable, "")
    message = " ".join(str(getattr(error, "message", error)).split())[:300]
    message = message.replace(key, "***") if key else message
    address = f"{endpoint.section}.url"
    attempts = f"{endpoint.retries + 1} attempt(s)"
    match error:
        case openai.AuthenticationError() | openai.PermissionDeniedError():  # endpoints quote parts of the key here
            held = f"the key in {endpoint.key_variable}" if key else f"no key ({endpoint.key_variable} is not set)"
            what = f"refuses {held} (status {error.status_code}); set the environment variable to a valid key"
        case openai.NotFoundError():
            what = (
                f"knows no model '{endpoint.model}', or is no such address (it usually ends in /v1); "
                f"it said: {message}; look at {endpoint.section}.model and url"
            )
        case openai.APITimeoutError() | TimeoutError():
            what = (
                f"gave no reply within {endpoint.timeout:g} s, in {attempts}; "
                f"raise {endpoint.section}.timeout, or lower concurrency"
            )
        case openai.APIConnectionError():
            what = f"cannot be reached ({error.__cause__ or message}), in {attempts}; look at {address}"
        case openai.RateLimitError():
            what = f"asks for fewer requests, or its quota is used up (status 429), in {attempts}; it said: {message}"
        case openai.InternalServerError():
            what = f"fails (status {error.status_code}), in {attempts}; it said: {message}"
        case openai.APIStatusError():
            what = (
                f"refuses the request (status {error.status_code}); it said: {message}; "
                f"look at {endpoint.section}.parameters"
            )
        case _:
            what = f"sent no chat completion but: {message}; look at {address}"
    return f"{endpoint.role} at {endpoint.url} {what}"
