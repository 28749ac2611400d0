"""The schema of the config's `evaluation.endpoint`: a server that answers for the models."""

from collections.abc import Iterator

from pydantic import Field

from visatb.config_endpoint import Address
from visatb.config_secrets import secret_mistakes
from visatb.config_types import IntFromZero, Parameter, PositiveFloat, PositiveInt, Section

RUN = "{run}"
SECTION = "evaluation.endpoint"
SET_HERE = ("model", "messages", "n", "stream", "temperature", "max_tokens", "max_completion_tokens")


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
