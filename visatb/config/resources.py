"""The schema of the config's `resources`: what jobs ask the scheduler for."""

from typing import Annotated

from pydantic import BeforeValidator, Field

from visatb.config.types import IntFromZero, Number, PositiveFloat, PositiveInt, Section


class JobResources(Section):
    """What one job asks the scheduler for."""

    gpus: IntFromZero = Field(1, description="GPUs a node; 0 computes on the CPU")
    cpus: PositiveInt = Field(8, description="CPU cores a node")
    mem_mb: PositiveInt = Field(64000, description="memory a node, in MB")
    runtime: PositiveInt = Field(240, description="time limit in minutes")


class TrainingResources(JobResources):
    """What one training asks the scheduler for."""

    nodes: PositiveInt = Field(1, description="nodes; more than one needs Slurm")


class MiniResources(TrainingResources):
    """What a training on mini subsets asks the scheduler for."""

    runtime: PositiveInt = Field(120, description="time limit in minutes")


class OneTaskResources(TrainingResources):
    """What a training on one task's data, or little more, asks the scheduler for."""

    runtime: PositiveInt = Field(480, description="time limit in minutes")


class FinalResources(TrainingResources):
    """What a training on everything asks the scheduler for."""

    runtime: PositiveInt = Field(1440, description="time limit in minutes")


class PredictionResources(JobResources):
    """What answering asks the scheduler for."""

    gpus: Annotated[int, Number, Field(ge=0, le=1)] = Field(1, description="1, or 0 to compute on the CPU")


class ResourcesConfig(Section):
    """Resources by kind of job. A retry asks for twice, then three times the memory and time, up to the limits here."""

    mini: MiniResources = Field(MiniResources(), description="training `mini` (and `mini-only-*`)")
    plus: OneTaskResources = Field(OneTaskResources(), description="training `plus-*` (and `large-only-*`)")
    single: OneTaskResources = Field(OneTaskResources(), description="training `single-*`")
    final: FinalResources = Field(FinalResources(), description="training `ew`, `visatb` and runs with given weights")
    predict: PredictionResources = Field(
        PredictionResources(), description="answering the val or test questions with one model"
    )
    max_mem_mb: PositiveInt | None = Field(None, description="memory of the nodes in MB: no retry asks for more")
    max_runtime: PositiveInt | None = Field(
        None, description="longest time limit of the partition in minutes: no retry asks for more"
    )
    gpu_type: str | None = Field(None, description="Slurm's name of the GPUs to use, e.g. `h100`; any if left out")


def _one_number(value: object) -> object:
    """Let a number stand for the speed of every training."""
    return {"training": value} if isinstance(value, int | float) and not isinstance(value, bool) else value


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


Throughput = Annotated[ThroughputConfig, BeforeValidator(_one_number, json_schema_input_type=ThroughputConfig | float)]
