"""The schema of the config's `taskgalaxy`: instruction data made from seed task types and a folder of pictures."""

from typing import Annotated, Literal

from pydantic import Field

from visatb.config.endpoints import EndpointConfig, TokenPrices
from visatb.config.resources import JobResources
from visatb.config.types import IntFromZero, Name, Number, PositiveFloat, PositiveInt, Section, Seed

Rate = Annotated[float, Number, Field(gt=0, le=1, allow_inf_nan=False)]
Cosine = Annotated[float, Number, Field(ge=-1, le=1, allow_inf_nan=False)]
SplitShare = Annotated[float, Number, Field(gt=0, lt=0.5, allow_inf_nan=False)]


class ModelEndpoint(EndpointConfig):
    """A model behind an OpenAI-compatible endpoint."""

    prices: TokenPrices | None = Field(None, description="what tokens cost; needed where there is a `budget`")
    image_tokens: PositiveInt = Field(
        1500, description="tokens that a picture counts as, for the plan and the budget; see the provider's rules"
    )


class ExpansionConfig(Section):
    """How seed types grow into a tree of three levels; a request asks for the children of one place in the tree."""

    endpoint: str = Field(description="which of `endpoints` proposes types; a language model is enough")
    prompt: str = Field("config/taskgalaxy/expand.yaml", description="what it is asked; a YAML file as the default one")
    level_1: IntFromZero = Field(0, description="new level-1 types beside those of the seeds")
    level_2: IntFromZero = Field(8, description="new level-2 types in each level-1 type")
    level_3: IntFromZero = Field(8, description="new level-3 types in each level-2 type")


class EmbeddingConfig(Section):
    """The CLIP that embeds types and pictures."""

    checkpoint: str = Field(
        "openai/clip-vit-large-patch14-336", description="folder in transformers layout, or a hub name"
    )
    revision: str | None = Field(None, description="commit, tag or branch of the hub name; its newest if left out")
    text: str = Field(
        "{level_1}: {level_2}, {level_3}",
        description="what is embedded of a type; cut where the model's context ends",
    )
    batch_size: PositiveInt = Field(64, description="texts or pictures at a time")
    shard_size: PositiveInt = Field(4096, description="pictures after which embeddings are saved, to resume from")
    python: str | None = Field(None, description="interpreter for embedding, if not the workflow's own")
    resources: JobResources = Field(
        JobResources(gpus=1, cpus=8, mem_mb=32000, runtime=720),
        description="what an embedding job asks the scheduler for",
    )


class MatchLimits(Section):
    """What decides on the matches."""

    top_k: PositiveInt = Field(10, description="types a picture, the nearest ones")
    floor: Cosine = Field(0.2, description="lowest cosine of a match")
    cap: PositiveInt = Field(100, description="pictures a type, the nearest ones")


class MatchingConfig(MatchLimits):
    """Which types a picture is a candidate for: the nearest by cosine."""

    mem_mb: PositiveInt = Field(16000, description="memory of the job, in MB")


class FilterConfig(Section):
    """A vision model that says which of a picture's types suit it."""

    endpoint: str = Field(description="which of `endpoints` looks at the pictures")
    prompt: str = Field("config/taskgalaxy/filter.yaml", description="what it is asked")


class WritingConfig(Section):
    """A vision model that writes a question and its answer for a picture and a type."""

    endpoint: str = Field(description="which of `endpoints` writes")
    prompt: str = Field("config/taskgalaxy/write.yaml", description="what it is asked")


class VotingConfig(Section):
    """Vision models that vote on each question and its answer."""

    endpoints: Annotated[list[str], Field(min_length=1)] = Field(description="which of `endpoints` vote")
    prompt: str = Field("config/taskgalaxy/vote.yaml", description="what each is asked")
    min_votes: PositiveInt = Field(2, description="votes by which a sample is accepted")


class ExportConfig(Section):
    """Accepted samples as LLaVA JSON lines with `task`, split by picture."""

    task: Literal["level_1", "cluster"] = Field(
        "level_1", description="what `task` says: the level-1 type, or a cluster of types that lie near each other"
    )
    clusters: PositiveInt = Field(10, description="clusters; with `task: cluster`")
    seed: Seed = Field(0, description="of the clusters and the splits")
    min_samples: PositiveInt = Field(100, description="samples of a task in all; smaller ones are left out")
    val: SplitShare = Field(0.05, description="share of pictures whose samples become val")
    test: SplitShare = Field(0.05, description="share of pictures whose samples become test")


class AssumptionsConfig(Section):
    """What the plan assumes before anything is asked. Its upper bounds do without."""

    kept_types: Rate = Field(0.3, description="share of a picture's candidate types that the filter keeps")
    reply_tokens: PositiveInt = Field(150, description="tokens of a reply")


class TaskGalaxyConfig(Section):
    """Instruction data made from seed task types and pictures, by models behind endpoints; see docs/taskgalaxy.md."""

    folder: str = Field(description="where everything is made; `train.jsonl`, `val.jsonl` and `test.jsonl` at its top")
    seeds: str = Field(
        "config/taskgalaxy/seeds.yaml", description="YAML: level-1 type -> level-2 type -> level-3 types"
    )
    images: str = Field(description="folder of pictures, with all below it")
    endpoints: Annotated[dict[Name, ModelEndpoint], Field(min_length=1)] = Field(description="models to ask, by name")
    expansion: ExpansionConfig = Field(description="from seeds to a tree of types")
    duplicates: Cosine = Field(0.95, description="cosine from which on two types count as one; 1 finds none")
    embedding: EmbeddingConfig = Field(EmbeddingConfig(), description="the CLIP")
    matching: MatchingConfig = Field(MatchingConfig(), description="pictures to types")
    filter: FilterConfig = Field(description="which matches suit")
    writing: WritingConfig = Field(description="questions and answers")
    voting: VotingConfig = Field(description="which samples are accepted")
    export: ExportConfig = Field(ExportConfig(), description="files for training")
    budget: PositiveFloat | None = Field(
        None, description="what all requests may cost together; none is sent that might exceed it"
    )
    image_side: PositiveInt = Field(1024, description="longest side in pixels of pictures that are sent, as JPEG")
    attempts: PositiveInt = Field(2, description="times a question is asked whose reply cannot be used")
    browse: PositiveInt = Field(300, description="examples on the page to leaf through")
    assumptions: AssumptionsConfig = Field(
        AssumptionsConfig(),
        description="for the plan",
    )
