"""What the jobs that plan an experiment depend on, as a rule hands it to their program."""

from collections.abc import Mapping
from typing import Literal

from pydantic import model_validator

from visatb.config.types import Part, RateOrAuto, Section
from visatb.experiment.experiment import Experiment


class CountJob(Section):
    """The records whose tokens are counted, and how a training reads them.

    Exactly one of ``base``, ``tiny`` and ``components`` says where the processor comes from.

    Attributes:
        splits: (task, split) of every file of records.
        base: folder or hub name of a checkpoint.
        tiny: family of a tiny model that is not made yet.
        components: component -> its folder or hub name, of a LLaVA that is not assembled yet.
        freeze: parts of the model that are not trained.
        max_length: tokens after which a record is cut.
        micro_batch_size: samples that a device holds at a time.
        packing: whether they share a row, or each is padded.
        seed: of the records that are counted and of the order of samples.
    """

    splits: tuple[tuple[str, str], ...]
    base: str | None = None
    tiny: Literal["llava", "qwen2_vl"] | None = None
    components: Mapping[str, str] | None = None
    freeze: tuple[Part, ...]
    max_length: int
    micro_batch_size: int
    packing: bool
    seed: int

    @model_validator(mode="after")
    def _names_one_model(self) -> "CountJob":
        if sum(source is not None for source in (self.base, self.tiny, self.components)) != 1:
            raise ValueError("expected exactly one of base, tiny and components")
        return self


class SamplingJob(Section):
    """Sampling rates, some of them left to the data.

    Attributes:
        large: R_large or ``auto``.
        mini: R_mini or ``auto``.
        groups: group -> its tasks.
        fixed: tasks that take no part in the balancing.
        global_batch_size: samples of an optimiser step.
        epochs: passes over a mixture.
    """

    large: RateOrAuto
    mini: RateOrAuto
    groups: Mapping[str, tuple[str, ...]]
    fixed: tuple[str, ...] = ()
    global_batch_size: int
    epochs: float


def count_job(experiment: Experiment) -> CountJob:
    """Return what counting tokens depends on. Of a model that is made here it is what the model is made from."""
    model, training = experiment.model, experiment.config.training
    if model.pretraining:
        source: dict[str, object] = {"tiny": model.family}
    elif model.assemble:
        source = {"components": {name: component.source for name, component in model.assemble}}
    else:
        source = {"base": model.source}
    about = {name: getattr(training, name) for name in ("max_length", "micro_batch_size", "packing")}
    return CountJob.model_validate(
        {"splits": experiment.splits, "freeze": model.freeze, "seed": experiment.config.seed, **source, **about}
    )


def sampling_job(experiment: Experiment) -> SamplingJob:
    """Return what sampling rates that are left to the data depend on, besides the data."""
    config = experiment.config
    return SamplingJob(
        large=config.sampling.large,
        mini=config.sampling.mini,
        groups=experiment.groups,
        fixed=tuple(config.fixed_tasks),
        global_batch_size=config.training.global_batch_size,
        epochs=config.training.epochs,
    )
