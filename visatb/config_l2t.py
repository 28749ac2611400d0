"""The part of a config's schema that says what of the instructions is learned (L2T)."""

from typing import Annotated

from pydantic import Field

from visatb.config_types import FloatFromZero, Number, PositiveInt, Section, Words


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
