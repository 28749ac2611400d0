"""The schema of models that are asked over the network."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from visatb.config.types import FloatFromZero, IntFromZero, Parameter, PositiveFloat, PositiveInt, Section, web_address

RUN = "{run}"
SERVED_NAME = "name by which the server knows the model; `{run}` is the run's name"

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

    @property
    def pair(self) -> tuple[float, float]:
        """Both prices: of prompts, and of replies."""
        return self.input, self.output


class Connection(Section):
    """How a model behind an OpenAI-compatible endpoint is reached: no reply depends on it."""

    url: Address = Field(OPENAI, description="base address of the API, usually ending in `/v1`")
    key_variable: str = Field(
        "OPENAI_API_KEY", description="environment variable that holds the key; where it is not set, none is sent"
    )
    concurrency: PositiveInt = Field(8, description="requests at a time")
    timeout: PositiveFloat = Field(120.0, description="seconds that one attempt may take")
    retries: IntFromZero = Field(
        8, description="further attempts after one that failed in passing (no connection, status 429, 5xx)"
    )

    @property
    def connection(self) -> dict[str, Any]:
        """The keys of `Connection` alone, as JSON values."""
        return self.model_dump(mode="json", include=set(Connection.model_fields))


class EndpointConfig(Connection):
    """A model behind an OpenAI-compatible endpoint, and how it is asked."""

    model: str = Field(description="the model, by the name that the endpoint knows")
    parameters: dict[str, Parameter] = Field(
        default_factory=_default_parameters,
        description="sent with each request; given ones replace all the default ones",
    )


class JudgeConfig(EndpointConfig):
    """Who grades the answers of tasks with the metric `judge`: a model behind an OpenAI-compatible endpoint."""

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


class ServerConnection(Connection):
    """How a server that answers for every run's model is reached."""

    url: Address = Field(
        description="base address of an OpenAI-compatible API, usually ending in `/v1`; `{run}` is the run's name"
    )


def _same_as_here() -> dict[str, Parameter]:
    return {"repetition_penalty": 1.0}


class ServedConfig(ServerConnection, EndpointConfig):
    """A server that answers for the models, started by you; without it each job loads the model itself."""

    model: str = Field(RUN, description=SERVED_NAME)
    parameters: dict[str, Parameter] = Field(
        default_factory=_same_as_here,
        description="sent with each request beside temperature 0 and max_tokens; the default keeps vLLM and SGLang "
        "from a penalty that the checkpoint names, `{}` is for servers that do not know it",
    )
    concurrency: PositiveInt = Field(64, description="requests of one job at a time")
    timeout: PositiveFloat = Field(600.0, description="seconds that one attempt may take")


def check_secrets(section: str, endpoint: Connection) -> Iterator[str]:
    """Yield a line for an address that holds a key or password, and for a key in place of a variable's name.

    Args:
        section: where the endpoint is described, e.g. ``evaluation.judge``.
        endpoint: what is described there.
    """
    parts = urlsplit(endpoint.url)
    if parts.username or parts.password or parts.query:
        yield (
            f"{section}.url: an address must hold no key or password (not shown here); "
            "put it into the environment variable that key_variable names"
        )
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", endpoint.key_variable):
        yield f"{section}.key_variable: expected the name of an environment variable, not the key (not shown)"


def check_served(endpoint: ServedConfig) -> Iterator[str]:
    """Yield one line for each mistake that only shows when keys are looked at together."""
    yield from check_secrets(SECTION, endpoint)
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
    limits = [parameters[name] for name in LENGTH_PARAMETERS if name in parameters]
    return min(map(int, limits)) if limits else None
