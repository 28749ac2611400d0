"""What a training depends on beside its files, how it is computed, and the jobs of learning to instruct (L2T)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from visatb.config.training import LearnedConfig, Machine, MiningConfig, Recipe
from visatb.config.types import IntFromZero, Part, PositiveFloat, Section, TaggedSection
from visatb.runtime.files import read_table
from visatb.training.l2t.task_templates import read_templates
from visatb.training.loss.methods import Given, Method


class Response(TaggedSection):
    """The answers are learned, and nothing of the instructions."""

    kind: Literal["response"] = "response"


class L2T(TaggedSection, LearnedConfig):
    """What the instructions say about the image is learned as well.

    Attributes:
        templates: sentences that are left out.
    """

    kind: Literal["l2t"] = "l2t"
    templates: frozenset[str] = frozenset()


Objective = Annotated[Response | L2T, Field(discriminator="kind")]
"""What a training learns."""


class TrainingJob(Section):
    """One training: all that its result depends on, beside its mixture.

    Attributes:
        run: the run's name.
        base: checkpoint folder or hub name to start from.
        freeze: parts of the model that are not trained.
        seed: of initialisation and batches.
        recipe: its numbers.
        weights: task -> lambda, of those that are given; empty where every task counts alike.
        method: what becomes of the weights during the training.
        objective: what is learned.
    """

    run: str
    base: str
    freeze: tuple[Part, ...]
    seed: int
    recipe: Recipe = Recipe()
    weights: Mapping[str, PositiveFloat] = {}
    method: Method = Given()
    objective: Objective = Response()

    def with_files(self, weights: str | Path | None, templates: str | Path | None) -> "TrainingJob":
        """Return the job with what other jobs have found out.

        Args:
            weights: weights.tsv, whose weights stand above given ones.
            templates: templates.tsv, sentences that the objective ``l2t`` leaves out.

        Raises:
            VisatbError: a file is missing or is no such table.
        """
        changed: dict[str, object] = {}
        if weights:
            table = read_table(weights)
            rows = zip(table["task"].astype(str), table["weight"].astype(float), strict=True)
            changed["weights"] = {**self.weights, **dict(rows)}
        if templates and isinstance(self.objective, L2T):
            changed["objective"] = self.objective.model_copy(update={"templates": read_templates(templates)})
        return self.model_copy(update=changed)


class MachineJob(Machine):
    """How a training is computed here.

    Attributes:
        gpus: of a node; 0 trains on the CPU.
        attention: implementation of attention in transformers.
        workers: processes that make the micro-batches of one device.
    """

    gpus: IntFromZero
    attention: str
    workers: IntFromZero


class MiningJob(MiningConfig):
    """The search for sentences that say nothing about an image.

    Attributes:
        tasks: whose train splits are read.
        text_only: instructions without an image count too.
    """

    tasks: tuple[str, ...]
    text_only: bool = False


class LedgerJob(Section):
    """The count of instruction tokens.

    Attributes:
        base: checkpoint folder or hub name, for its tokenizer.
        tasks: whose train splits are counted.
        objective: what is learned of them.
    """

    base: str
    tasks: tuple[str, ...]
    objective: L2T
