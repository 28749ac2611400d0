"""The part of a config's schema that says what of the instructions is learned (L2T)."""

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from visatb.config.types import FloatFromZero, Name, Number, PositiveInt, Section, Words


class L2TConfig(Section):
    """Learning to instruct, the objective `l2t`: what of the instructions is learned. See docs/l2t.md."""

    instruction_weight: FloatFromZero = Field(
        1.0, description="weight of a kept instruction token; that of a response token is 1"
    )
    template_share: Annotated[float, Number, Field(gt=0, le=1)] = Field(
        0.05, description="share of a task's instructions from which a sentence in them is a template, and not learned"
    )
    template_count: PositiveInt = Field(10, description="instructions of the task that hold it, at least")
    keep: Words = Field(default_factory=list, description="sentences that are learned, however frequent")
    remove: Words = Field(default_factory=list, description="sentences that are not learned, however rare")
    templates: str | None = Field(
        None, description="an edited copy of `templates.tsv`, whose decisions stand above all others"
    )
    text_only: bool = Field(False, description="learn the instructions of samples without an image, too")


class WandbConfig(Section):
    """Weights & Biases. The key is read from the environment alone (`WANDB_API_KEY`), and so is `WANDB_MODE`."""

    project: Name = Field(description="the project that runs are shown in; a group there is an experiment")
    entity: Name | None = Field(None, description="user or team that the project belongs to; your own if left out")


class TrackingConfig(Section):
    """Where trainings report to. TensorBoard files are written in any case, in `runs/<run>/tensorboard/`."""

    wandb: WandbConfig | None = Field(None, description="Weights & Biases, if it is wanted; needs the package wandb")


@dataclass(frozen=True)
class Recipe:
    """The numbers of a training that its result depends on. Units and meaning as in the config's ``training``."""

    seed: int
    epochs: float
    global_batch_size: int
    learning_rate: float
    warmup: float
    schedule: str
    weight_decay: float
    beta1: float
    beta2: float
    max_gradient_norm: float
    max_length: int
    precision: Literal["float32", "bfloat16"]
    normalization: Literal["step", "micro_batch"]
    freeze: tuple[str, ...]


@dataclass(frozen=True)
class Machine:
    """How a training is run here; its result does not depend on it but for rounding. Units as in the config."""

    micro_batch_size: int
    gpus: int = 0
    gradient_checkpointing: bool = False
    attention: str = "sdpa"
    deepspeed: str | None = None
    save_steps: int = 200
    keep_checkpoints: int = 2
    packing: bool = True
    workers: int = 0
