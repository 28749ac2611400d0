"""The parts of a config's schema that say what of the work is there already; see docs/reuse.md."""

from typing import Annotated, Literal

from pydantic import Field

from visatb.config.types import Name, PositiveInt, Section, Words


class ImportsConfig(Section):
    """Models and scores that were made elsewhere: they are not made again."""

    runs: dict[Name, str] = Field(
        default_factory=dict,
        description="run -> folder of its model, safetensors in the layout of transformers; such a run is not trained",
    )
    scores: str | None = Field(
        None,
        description="a table (`.tsv`, `.csv`) with `run`, `task`, `metric`, `value`, `n`, and if wanted `split` and "
        "`samples`; what it holds is not evaluated",
    )


class AddingConfig(Section):
    """Tasks that come to those of a finished experiment."""

    tasks: Annotated[Words, Field(min_length=1)] = Field(description="the tasks that the finished experiment lacks")
    to: str = Field(description="the finished experiment's folder, `results/<experiment>`")
    mode: Literal["strict", "frozen"] = Field(
        "strict",
        description="`strict` trains all that the definitions ask for; `frozen` keeps the finished `plus-` runs and "
        "trains `mini` and `plus-<new>` alone, so that some cells are approximate",
    )


class GroupingConfig(Section):
    """How `snakemake propose_groups` puts tasks together. It changes nothing of the experiment itself."""

    by: Literal["contributions", "instructions"] = Field(
        "contributions",
        description="what tasks are alike by: measured C of this experiment, or the words of their questions",
    )
    number: PositiveInt | None = Field(
        None, description="how many groups; left out it is the number with the best silhouette"
    )
    samples: PositiveInt = Field(1000, description="training questions a task that are compared, by `instructions`")
