"""The schema of models that are asked over the network."""

from typing import Annotated

from pydantic import AfterValidator, Field

from visatb.config_types import FloatFromZero, IntFromZero, Parameter, PositiveFloat, PositiveInt, Section, web_address

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
