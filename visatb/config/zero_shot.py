"""The schema of the config's `zero_shot`: benchmarks that nothing was trained for, through lmms-eval."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from visatb.config.endpoints import RUN, SERVED_NAME, ServerConnection
from visatb.config.types import IntFromZero, Name, Parameter, Paths, PositiveInt, Section, Words


class BenchmarkConfig(Section):
    """One benchmark. TextVQA, POPE, MME, SQA-IMG, MMBench, SEED-IMG and MM-Vet need no key at all."""

    task: str | None = Field(
        None, description="a task of lmms-eval, or a task file (`.yaml`); given for the seven benchmarks named above"
    )
    metric: str | None = Field(None, description="that of the task's metrics which is the score; given for the seven")
    lower_is_better: bool = Field(False, description="whether small scores are good")
    data: Paths | None = Field(
        None,
        description="Parquet, JSON, JSON-lines or TSV files (also `*`) of the task's split; from the hub if left out",
    )
    image_folder: str | None = Field(
        None, description="folder that the pictures' names in `data` are relative to; they are base64 if left out"
    )


class ServerConfig(ServerConnection):
    """A server that answers for the models; without it lmms-eval loads them itself."""

    model: str = Field(RUN, description=SERVED_NAME)
    concurrency: PositiveInt = Field(16, description="requests at a time")
    timeout: PositiveInt = Field(600, description="seconds that one attempt may take")
    retries: IntFromZero = Field(
        4, description="further attempts after one that failed; beside the old key `address`, attempts in all"
    )


def _with_empty_sections(value: object) -> object:
    """Let a list of names, or a name without keys, stand for benchmarks with all their defaults."""
    if isinstance(value, list):
        value = dict.fromkeys(value)
    return (
        {name: {} if section is None else section for name, section in value.items()}
        if isinstance(value, dict)
        else value
    )


_Benchmarks = BeforeValidator(
    _with_empty_sections, json_schema_input_type=dict[Name, BenchmarkConfig | None] | list[Name]
)


class ZeroShotConfig(Section):
    """Benchmarks that nothing was trained for, answered by final runs through lmms-eval."""

    benchmarks: Annotated[dict[Name, BenchmarkConfig], _Benchmarks, Field(min_length=1)] = Field(
        description="what is asked: a list of names, or name -> section"
    )
    methods: Words | None = Field(
        None, description="whose final models answer; if left out, those of all `methods` but `stl`"
    )
    python: str | None = Field(
        None, description="interpreter of an environment with lmms-eval (`make zero-shot-env`), if not the job's own"
    )
    loader: str | None = Field(
        None, description="lmms-eval's name of a model class; if left out, `llava_hf` or `qwen2_vl` by the family"
    )
    loader_arguments: dict[Name, Parameter] = Field(
        default_factory=dict, description="further `--model_args`, e.g. `max_pixels` of Qwen2-VL"
    )
    endpoint: ServerConfig | None = Field(None, description="ask a server instead of loading the model")
    limit: PositiveInt | None = Field(None, description="questions a benchmark, the first ones; for trials only")
    cache: str | None = Field(None, description="folder of downloaded data sets (`HF_HOME`), if not the machine's own")
