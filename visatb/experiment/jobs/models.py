"""What the jobs that make or take over an experiment's models depend on."""

from visatb.config.model import ModelConfig, PretrainingConfig
from visatb.experiment.experiment import Experiment
from visatb.models.jobs import AlignmentJob, ImportJob, VisionJob
from visatb.models.pretrained import is_pretrained, note_earlier


def vision_job(model: ModelConfig) -> VisionJob:
    """Return what stage 0 of a model that the workflow pretrains depends on."""
    how = _pretraining(model)
    return VisionJob(family=model.family, seed=how.seed, **dict(how.vision))


def alignment_job(model: ModelConfig) -> AlignmentJob:
    """Return what stage 1 of a model that the workflow pretrains depends on."""
    how = _pretraining(model)
    return AlignmentJob(seed=how.seed, vision=vision_job(model), **dict(how.alignment))


def pretrained_models(experiment: Experiment) -> dict[str, ModelConfig]:
    """Return checkpoint -> the model of it, of those that the workflow pretrains."""
    return {model.checkpoint: model for model in experiment.models if model.checkpoint and model.pretraining}


def missing_models(experiment: Experiment) -> dict[str, ModelConfig]:
    """Return those of `pretrained_models` that are not there yet, or are made of something else."""
    models = pretrained_models(experiment)
    return {path: model for path, model in models.items() if not is_pretrained(path, alignment_job(model))}


def note_earlier_models(experiment: Experiment) -> None:
    """Note what the bases are made of that version 0.1 has left, so that a change is seen."""
    for path, model in pretrained_models(experiment).items():
        note_earlier(path, alignment_job(model))


def imported_model_job(experiment: Experiment, run: str) -> ImportJob:
    """Return what taking over a model depends on; what it froze matters where its training is known."""
    model = experiment.model_of(run)
    freeze = tuple(model.freeze) if run in experiment.reuse.earlier.models else ()
    return ImportJob(run=run, base=model.source, freeze=freeze)


def _pretraining(model: ModelConfig) -> PretrainingConfig:
    assert model.pretraining is not None
    return model.pretraining
