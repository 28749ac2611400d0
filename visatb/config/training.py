"""The parts of a config's schema that say how runs are trained: recipe and machine, what of instructions is learned."""

from typing import Annotated, Any, Literal

from pydantic import Field

from visatb.config.resources import TrainingResources
from visatb.config.types import (
    After,
    Argument,
    FloatFromZero,
    IntFromZero,
    Name,
    Number,
    PositiveFloat,
    PositiveInt,
    Section,
    Share,
    Words,
)

DESCRIBED_FROM_THE_START = frozenset(
    {
        *("epochs", "global_batch_size", "learning_rate", "warmup", "schedule", "weight_decay", "beta1", "beta2"),
        *("max_gradient_norm", "max_length", "precision", "normalization"),
    }
)
"""The recipe's keys in version 0.1, by which its trainings are found again. It never grows: see `Recipe.described`."""


class Recipe(Section):
    """What the result of a training depends on: a change trains again.

    An `Argument` is what the key is called in transformers' `TrainingArguments`.
    """

    epochs: Annotated[PositiveFloat, Argument("num_train_epochs")] = Field(1.0, description="passes over the mixture")
    global_batch_size: PositiveInt = Field(128, description="samples of one optimiser step, over all devices")
    learning_rate: Annotated[PositiveFloat, Argument("learning_rate")] = Field(
        2.0e-5, description="AdamW's highest learning rate, reached after the warm-up"
    )
    warmup: Annotated[Share, Argument("warmup_steps")] = Field(
        0.03, description="share of the steps in which the learning rate rises"
    )
    schedule: Annotated[Literal["cosine", "linear", "constant_with_warmup"], Argument("lr_scheduler_type")] = Field(
        "cosine", description="course of the learning rate after the warm-up"
    )
    weight_decay: Annotated[FloatFromZero, Argument("weight_decay")] = Field(0.0, description="AdamW's weight decay")
    beta1: Annotated[Share, Argument("adam_beta1")] = Field(
        0.9, description="AdamW's decay of the gradient's running mean, per step"
    )
    beta2: Annotated[Share, Argument("adam_beta2")] = Field(
        0.999, description="AdamW's decay of the squared gradient's running mean, per step"
    )
    max_gradient_norm: Annotated[PositiveFloat, Argument("max_grad_norm")] = Field(
        1.0, description="L2 norm that the gradient is clipped to"
    )
    label_smoothing: Annotated[Share, Argument("label_smoothing_factor")] = Field(
        0.0, description="epsilon: a token's loss is 1 - epsilon of its own and epsilon of the mean over the vocabulary"
    )
    max_length: PositiveInt = Field(2048, description="longest sample in tokens, image tokens included")
    precision: Literal["float32", "bfloat16"] = Field("bfloat16", description="number format of the forward pass")
    normalization: Literal["step", "micro_batch"] = Field(
        "step", description="Eq. 2 over the whole optimiser step, or per micro-batch as in the authors' code"
    )

    def arguments(self) -> dict[str, Any]:
        """Return the values of the keys that transformers knows, by the names of its `TrainingArguments`."""
        notes = [(name, note) for name, field in Recipe.model_fields.items() for note in field.metadata]
        return {note.name: getattr(self, name) for name, note in notes if isinstance(note, Argument)}

    def described(self) -> dict[str, Any]:
        """Return what a training is told apart by: the keys of version 0.1, and later ones without their default.

        So a key that is new changes no training that does not use it.
        """
        values = {name: getattr(self, name) for name in Recipe.model_fields}
        later = self.later_defaults()
        return {name: value for name, value in values.items() if name not in later or value != later[name]}

    @classmethod
    def later_defaults(cls) -> dict[str, Any]:
        """Return the defaults of keys that came after version 0.1, which trainings without a word on them have."""
        fields = Recipe.model_fields.items()
        return {name: field.get_default() for name, field in fields if name not in DESCRIBED_FROM_THE_START}


class Machine(Section):
    """How a training is computed; its result does not depend on it but for rounding. A change trains nothing again."""

    micro_batch_size: Annotated[PositiveInt, After("global_batch_size")] = Field(
        16, description="samples that one device holds at a time"
    )
    packing: Annotated[bool, After("micro_batch_size")] = Field(
        True, description="a micro-batch's samples stand one after another in a row; otherwise each is padded"
    )
    gradient_checkpointing: Annotated[bool, After("precision")] = Field(
        False, description="compute activations again to save memory"
    )
    deepspeed: str | None = Field(None, description="a DeepSpeed config file, e.g. `config/deepspeed/zero3.json`")
    workers: IntFromZero | None = Field(
        None,
        description="processes that make the micro-batches of one device, 0 for the training's own; left out, one for "
        "each CPU core that its job has beyond one a GPU, 1 to 8, and none on CPUs",
    )
    save_steps: PositiveInt = Field(200, description="optimiser steps between two checkpoints")
    keep_checkpoints: Annotated[int, Number, Field(ge=2)] = Field(2, description="how many checkpoints are kept")

    def workers_of(self, job: TrainingResources) -> int:
        """Return the processes that make micro-batches for one device of a training that asks for ``job``."""
        if self.workers is not None:
            return self.workers
        return min(8, max(1, job.cpus // job.gpus - 1)) if job.gpus else 0


class TrainingConfig(Machine, Recipe):
    """How every run of the experiment is trained; the same for all, so that their scores compare."""


class LearnedConfig(Section):
    """What of the instructions is learned."""

    instruction_weight: FloatFromZero = Field(
        1.0, description="weight of a kept instruction token; that of a response token is 1"
    )
    text_only: Annotated[bool, After("templates")] = Field(
        False, description="learn the instructions of samples without an image, too"
    )


class MiningConfig(Section):
    """When a sentence of the instructions is a template."""

    template_share: Annotated[float, Number, Field(gt=0, le=1)] = Field(
        0.05, description="share of a task's instructions from which a sentence in them is a template, and not learned"
    )
    template_count: PositiveInt = Field(10, description="instructions of the task that hold it, at least")
    keep: Words = Field(default_factory=list, description="sentences that are learned, however frequent")
    remove: Words = Field(default_factory=list, description="sentences that are not learned, however rare")


class L2TConfig(MiningConfig, LearnedConfig):
    """Learning to instruct, the objective `l2t`: what of the instructions is learned. See docs/l2t.md."""

    templates: str | None = Field(
        None, description="an edited copy of `templates.tsv`, whose decisions stand above all others"
    )


class WandbConfig(Section):
    """Weights & Biases. The key is read from the environment alone (`WANDB_API_KEY`), and so is `WANDB_MODE`."""

    project: Name = Field(description="the project that runs are shown in; a group there is an experiment")
    entity: Name | None = Field(None, description="user or team that the project belongs to; your own if left out")


class TrackingConfig(Section):
    """Where trainings report to. TensorBoard files are written in any case, in `runs/<run>/tensorboard/`."""

    wandb: WandbConfig | None = Field(None, description="Weights & Biases, if it is wanted; needs the package wandb")
