"""What the jobs that make or take over an experiment's models depend on."""

from visatb.config.model import ModelConfig, PretrainingConfig
from visatb.experiment.experiment import Experiment
from visatb.models.jobs import AlignmentJob, ImportJob, VisionJob


def vision_job(model: ModelConfig) -> VisionJob:
    """Return what stage 0 of a model that the workflow pretrains depends on."""
    how = _pretraining(model)
    return VisionJob(family=model.family, seed=how.seed, **dict(how.vision))


def alignment_job(model: ModelConfig) -> AlignmentJob:
    """Return what stage 1 of a model that the workflow pretrains depends on."""
    how = _pretraining(model)
    return AlignmentJob(seed=how.seed, **dict(how.alignment))


def import_job(experiment: Experiment, run: str) -> ImportJob:
    """Return what taking over a model depends on; what it froze matters where its training is known."""
    model = experiment.model_of(run)
    freeze = tuple(model.freeze) if run in experiment.reuse.earlier.models else ()
    return ImportJob(run=run, base=model.source, freeze=freeze)


def _pretraining(model: ModelConfig) -> PretrainingConfig:
    assert model.pretraining is not None
    return model.pretraining
