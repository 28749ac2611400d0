"""What the jobs of TaskGalaxy depend on, beside the files that they read, and how it follows from the config."""

from typing import Any

from visatb.config.endpoints import Connection
from visatb.config.taskgalaxy import MatchLimits, ModelEndpoint, TaskGalaxyConfig
from visatb.config.types import IntFromZero, Parameter, PositiveInt, Section

REPLY_KEYS = ("model", "parameters")
"""The keys of an endpoint that a reply depends on."""

PLAN_KEYS = {"seeds", "images", "expansion", "matching", "filter", "writing", "voting", "attempts", "assumptions"}
"""The keys of the section, beside its endpoints and folder, that the plan depends on."""


class ModelJob(Section):
    """A model that is asked: all of it that a reply depends on.

    Attributes:
        name: the endpoint's name in the config.
        model: the name by which the endpoint knows the model.
        parameters: sent with each request.
    """

    name: str
    model: str
    parameters: dict[str, Parameter]


class RequestJob(Section):
    """A stage that asks models.

    Attributes:
        models: whom it asks.
        attempts: times a prompt is sent whose reply cannot be used.
    """

    models: tuple[ModelJob, ...]
    attempts: PositiveInt


class ExpansionJob(RequestJob):
    """The growth of the tree of types.

    Attributes:
        numbers: new names that are asked for below the root, each level-1 and each level-2 type.
    """

    numbers: tuple[IntFromZero, IntFromZero, IntFromZero]


class PictureJob(RequestJob):
    """A stage that sends pictures.

    Attributes:
        image_side: longest side in pixels that they are sent with.
    """

    image_side: PositiveInt


class VotingJob(PictureJob):
    """The votes.

    Attributes:
        min_votes: by which a sample is accepted.
    """

    min_votes: PositiveInt


class EmbeddingJob(Section):
    """Embedding pictures, or anything else.

    Attributes:
        checkpoint: folder of the CLIP, or its hub name with ``@revision``.
        gpus: of the job, 0 for the CPU.
        batch_size: entries at a time.
        shard_size: entries after which embeddings are saved.
    """

    checkpoint: str
    gpus: IntFromZero
    batch_size: PositiveInt
    shard_size: PositiveInt


class TypeEmbeddingJob(EmbeddingJob):
    """Embedding types.

    Attributes:
        text: what is embedded of a type, with ``{level_1}``, ``{level_2}`` and ``{level_3}``.
    """

    text: str


def expansion_job(config: TaskGalaxyConfig) -> ExpansionJob:
    """Return what the growth of the tree depends on."""
    settings = config.expansion
    numbers = (settings.level_1, settings.level_2, settings.level_3)
    return ExpansionJob(**_requests(config, settings.endpoint), numbers=numbers)


def filter_job(config: TaskGalaxyConfig) -> PictureJob:
    """Return what the filter of matches depends on."""
    return PictureJob(**_requests(config, config.filter.endpoint), image_side=config.image_side)


def writing_job(config: TaskGalaxyConfig) -> PictureJob:
    """Return what questions and answers depend on."""
    return PictureJob(**_requests(config, config.writing.endpoint), image_side=config.image_side)


def voting_job(config: TaskGalaxyConfig) -> VotingJob:
    """Return what votes depend on."""
    requests = _requests(config, *config.voting.endpoints)
    return VotingJob(**requests, image_side=config.image_side, min_votes=config.voting.min_votes)


def image_embedding_job(config: TaskGalaxyConfig) -> EmbeddingJob:
    """Return what the embedding of pictures depends on."""
    return EmbeddingJob(**_clip(config))


def type_embedding_job(config: TaskGalaxyConfig) -> TypeEmbeddingJob:
    """Return what the embedding of types depends on."""
    return TypeEmbeddingJob(**_clip(config), text=config.embedding.text)


def matching_job(config: TaskGalaxyConfig) -> MatchLimits:
    """Return what matches depend on, which is not the memory of their job."""
    return MatchLimits.model_validate(config.matching.model_dump(include=set(MatchLimits.model_fields)))


def plan_job(config: TaskGalaxyConfig) -> TaskGalaxyConfig:
    """Return the section with what the plan depends on; all else has its default."""
    return _without_connections(config, config.model_dump(include={*PLAN_KEYS, "folder"}))


def provenance_job(config: TaskGalaxyConfig) -> TaskGalaxyConfig:
    """Return the section without what no exported file depends on."""
    return _without_connections(config, config.model_dump(exclude={"budget", "browse"}))


def connections(config: TaskGalaxyConfig) -> dict[str, Any]:
    """Return what is no part of any job: how endpoints are reached, what requests may cost.

    So a workflow can let another address, price or budget make nothing again.
    """
    reached = {name: endpoint.model_dump(exclude=set(REPLY_KEYS)) for name, endpoint in config.endpoints.items()}
    return {"endpoints": reached, "budget": config.budget}


def _requests(config: TaskGalaxyConfig, *names: str) -> dict[str, Any]:
    models = tuple(ModelJob(name=name, **_reply_values(config.endpoints[name])) for name in names)
    return {"models": models, "attempts": config.attempts}


def _reply_values(endpoint: ModelEndpoint) -> dict[str, Any]:
    return endpoint.model_dump(include=set(REPLY_KEYS))


def _clip(config: TaskGalaxyConfig) -> dict[str, Any]:
    settings = config.embedding
    revision = f"@{settings.revision}" if settings.revision else ""
    sizes = {"batch_size": settings.batch_size, "shard_size": settings.shard_size}
    return {"checkpoint": settings.checkpoint + revision, "gpus": settings.resources.gpus, **sizes}


def _without_connections(config: TaskGalaxyConfig, values: dict[str, Any]) -> TaskGalaxyConfig:
    endpoints = {
        name: endpoint.model_dump(exclude=set(Connection.model_fields)) for name, endpoint in config.endpoints.items()
    }
    return TaskGalaxyConfig.model_validate(values | {"endpoints": endpoints})
