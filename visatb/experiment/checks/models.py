"""Mistakes in a model file."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from visatb.config.loading import read_yaml, validate_leniently
from visatb.config.model import ModelConfig
from visatb.config.types import PARTS
from visatb.errors import VisatbError


def checked_model(key: str, path: object) -> tuple[ModelConfig | None, list[str]]:
    """Return the model in the file that ``key`` of the config names, and a line for each mistake; no text, no model."""
    if not isinstance(path, str):
        return None, []
    try:
        model, mistakes = validate_leniently(ModelConfig, read_yaml(path))
    except VisatbError as error:
        return None, [f"{key}: {error}"]
    words = [mistake.words for mistake in mistakes]
    if model is not None and not words:
        words += _check_model(model)
    return model, [f"{path}: {line}" for line in words]


def _check_model(model: ModelConfig) -> Iterator[str]:
    made = "assemble" if model.assemble else "pretraining" if model.pretraining else None
    if model.assemble and model.pretraining:
        yield "assemble: the checkpoint is also made by pretraining; take one of them away"
    if model.assemble and model.family != "llava":
        yield f"assemble: only a llava is assembled, but family is {model.family}; take it away"
    if model.revision is not None and made:
        yield f"revision: the workflow makes this checkpoint (by {made}), so it has no revision; take it away"
    sources = {f"assemble.{name}.": component for name, component in model.assemble or ()} | (
        {} if made else {"": model}
    )
    for prefix, source in sources.items():
        if source.revision is not None and Path(source.checkpoint).exists():
            yield f"{prefix}revision: {source.checkpoint} lies here, and only hub names have revisions; take it away"
    for part, count in Counter(model.freeze).items():
        if count > 1:
            yield f"freeze: '{part}' is named {count} times"
    if len(set(model.freeze)) == len(PARTS):
        yield f"freeze: with {', '.join(PARTS)} frozen nothing is left to train"
