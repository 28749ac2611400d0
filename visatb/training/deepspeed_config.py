"""What a DeepSpeed config file must say so that a training under it is the one that was described."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from visatb.errors import VisatbError
from visatb.runtime.files import read_json

# Left out, gradients would not be clipped, say; with a value of its own, the recipe's would be overruled.
_OF_THE_RECIPE = (
    "train_batch_size",
    "train_micro_batch_size_per_gpu",
    "gradient_accumulation_steps",
    "gradient_clipping",
    "bf16.enabled",
)
_GATHER = "zero_optimization.stage3_gather_16bit_weights_on_model_save"


def check_deepspeed(path: str | Path) -> Iterator[str]:
    """Yield what is wrong with a DeepSpeed config file, each mistake in words that name the file and the key."""
    try:
        config = read_json(path)
    except VisatbError as error:
        yield str(error)
        return
    if not isinstance(config, dict):
        yield f"{path}: expected a JSON object, found {type(config).__name__}"
        return
    for key in _OF_THE_RECIPE:
        if (value := _value(config, key)) != "auto":
            yield f'{path}: {key} must be "auto", which takes it from `training`; found {_words(value)}'
    for key in ("optimizer", "scheduler"):
        if key in config:
            yield f"{path}: take {key} away; `training` has AdamW and its learning rate's schedule"
    if config.get("zero_allow_untested_optimizer") is not True:
        yield f"{path}: zero_allow_untested_optimizer must be true, or DeepSpeed refuses PyTorch's AdamW"
    if _value(config, "zero_optimization.stage") == 3 and _value(config, _GATHER) is not True:
        yield f"{path}: {_GATHER} must be true, or no model could be published at the end"


def _value(config: Mapping[str, Any], key: str) -> Any:
    value: Any = config
    for part in key.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _words(value: object) -> str:
    return "nothing" if value is None else repr(value)
