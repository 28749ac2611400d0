"""The schema of models that are asked over the network."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from visatb.config.types import FloatFromZero, IntFromZero, Parameter, PositiveFloat, PositiveInt, Section, web_address

RUN = "{run}"

SECTION = "evaluation.endpoint"

SET_HERE = ("model", "messages", "n", "stream", "temperature", "max_tokens", "max_completion_tokens")

LENGTH_PARAMETERS = ("max_tokens", "max_completion_tokens")
"""The parameters by which endpoints bound the length of a reply."""


OPENAI = "https://api.openai.com/v1"
Address = Annotated[str, AfterValidator(web_address)]


def _default_parameters() -> dict[str, Parameter]:
    return {"temperature": 0, "max_tokens": 1024}


class TokenPrices(Section):
    """What a million of a model's tokens cost, in any currency."""

    input: FloatFromZero = Field(description="of what it is told")
    output: FloatFromZero = Field(description="of what it replies")


class EndpointConfig(Section):
    """A model behind an OpenAI-compatible endpoint, and how it is asked."""

    model: str = Field(description="the model, by the name that the endpoint knows")
    key_variable: str = Field(
        "OPENAI_API_KEY", description="environment variable that holds the key; where it is not set, none is sent"
    )
    parameters: dict[str, Parameter] = Field(
        default_factory=_default_parameters,
        description="sent with each request; given ones replace all the default ones",
    )
    concurrency: PositiveInt = Field(8, description="requests at a time")
    timeout: PositiveFloat = Field(120.0, description="seconds that one attempt may take")
    retries: IntFromZero = Field(
        8, description="further attempts after one that failed in passing (no connection, status 429, 5xx)"
    )


class JudgeConfig(EndpointConfig):
    """Who grades the answers of tasks with the metric `judge`: a model behind an OpenAI-compatible endpoint."""

    endpoint: Address = Field(OPENAI, description="base address of the API, usually ending in `/v1`")
    prompt: str = Field("config/judge.yaml", description="what the judge is asked; a YAML file as the default one")
    show_image: bool = Field(False, description="send the picture along, to a judge that can see")
    prices: TokenPrices | None = Field(None, description="what tokens cost, for the costs in the tables of scores")
    replies: str | None = Field(
        None,
        description=(
            "folder of the judge's replies, which are not asked for again; several experiments may share one; "
            "if none is named, `judge_replies` in the experiment's folder"
        ),
    )


def _same_as_here() -> dict[str, Parameter]:
    return {"repetition_penalty": 1.0}


class ServedConfig(Section):
    """A server that answers for the models, started by you; without it each job loads the model itself."""

    url: Address = Field(
        description="base address of an OpenAI-compatible API, usually ending in `/v1`; `{run}` is the run's name"
    )
    model: str = Field("{run}", description="name by which the server knows the model; `{run}` is the run's name")
    key_variable: str = Field(
        "OPENAI_API_KEY", description="environment variable that holds the key; where it is not set, none is sent"
    )
    parameters: dict[str, Parameter] = Field(
        default_factory=_same_as_here,
        description="sent with each request beside temperature 0 and max_tokens; the default keeps vLLM and SGLang "
        "from a penalty that the checkpoint names, `{}` is for servers that do not know it",
    )
    concurrency: PositiveInt = Field(64, description="requests of one job at a time")
    timeout: PositiveFloat = Field(600.0, description="seconds that one attempt may take")
    retries: IntFromZero = Field(
        8, description="further attempts after one that failed in passing (no connection, status 429, 5xx)"
    )


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


def secret_mistakes(section: str, address_key: str, address: str, key_variable: str) -> Iterator[str]:
    """Yield a line for an address that holds a key or password, and for a key in place of a variable's name.

    Args:
        section: where the endpoint is described, e.g. ``evaluation.judge``.
        address_key: the key of that section which holds ``address``.
        address: where the endpoint is asked.
        key_variable: what should be the name of an environment variable.
    """
    parts = urlsplit(address)
    if parts.username or parts.password or parts.query:
        yield (
            f"{section}.{address_key}: an address must hold no key or password (not shown here); "
            "put it into the environment variable that key_variable names"
        )
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key_variable):
        yield f"{section}.key_variable: expected the name of an environment variable, not the key (not shown)"


def served_mistakes(endpoint: ServedConfig) -> Iterator[str]:
    """Yield one line for each mistake that only shows when keys are looked at together."""
    yield from secret_mistakes(SECTION, "url", endpoint.url, endpoint.key_variable)
    if RUN not in endpoint.url + endpoint.model:
        yield f"{SECTION}: every run would ask the same model; put {RUN} into its url or model"
    for field in ("url", "model"):
        if "{" in getattr(endpoint, field).replace(RUN, ""):
            yield f"{SECTION}.{field}: {RUN} is the only place to fill"
    for name in endpoint.parameters:
        if name in SET_HERE:
            yield f"{SECTION}.parameters: '{name}' is set by the workflow itself; take it away"


def longest_reply(parameters: Mapping[str, Any]) -> int | None:
    """Return the most tokens that a reply may have, or None if no parameter bounds it."""
    found = [parameters[name] for name in LENGTH_PARAMETERS if name in parameters]
    return min(map(int, found)) if found else None
