"""The schema of the config's `throughput`: how fast the machines are, for the plan's GPU-hours."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from visatb.config_types import PositiveFloat, Section


class ThroughputConfig(Section):
    """How fast one GPU (or one process on CPUs) is, for the hours in the plan. Nothing else depends on it.

    What is not given is taken from what the experiment's finished runs needed, then from `measured_in`.
    """

    training: PositiveFloat | None = Field(
        None, description="tokens a second of one GPU in every training, image tokens and padding included"
    )
    mini: PositiveFloat | None = Field(None, description="the same in the training `mini` (and `mini-only-*`)")
    plus: PositiveFloat | None = Field(None, description="the same in trainings `plus-*` (and `large-only-*`)")
    single: PositiveFloat | None = Field(None, description="the same in trainings `single-*`")
    final: PositiveFloat | None = Field(None, description="the same in trainings `ew`, `visatb` and the like")
    predict: PositiveFloat | None = Field(
        None, description="generated tokens a second of one answering job, loading the model included"
    )
    measured_in: str | None = Field(
        None, description="folder of an experiment that ran on such machines, e.g. `results/demo`"
    )


def _one_number(value: object) -> object:
    """Let a number stand for the speed of every training."""
    return {"training": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


Throughput = Annotated[ThroughputConfig, BeforeValidator(_one_number)]
