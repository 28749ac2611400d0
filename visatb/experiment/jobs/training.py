"""What the jobs that train an experiment's runs depend on."""

from typing import TypeVar

from pydantic import TypeAdapter

from visatb.config.training import L2TConfig, LearnedConfig, Recipe
from visatb.config.types import Section
from visatb.experiment.experiment import Experiment
from visatb.training.jobs import L2T, LedgerJob, MachineJob, MiningJob, Objective, Response, TrainingJob
from visatb.training.loss.methods import Given, Method

View = TypeVar("View", bound=Section)
_METHOD: TypeAdapter[Method] = TypeAdapter(Method)


def training_job(experiment: Experiment, run: str) -> TrainingJob:
    """Return what the training of ``run`` depends on, beside the files that other jobs make for it."""
    model = experiment.model_of(run)
    return TrainingJob(
        run=run,
        base=model.source,
        freeze=tuple(model.freeze),
        seed=experiment.config.seed + experiment.runs[run].repetition,
        recipe=_view(Recipe, experiment.config.training),
        weights=experiment.given_weights(run),
        method=_method(experiment, run),
        objective=_objective(experiment),
    )


def machine_job(experiment: Experiment, run: str) -> MachineJob:
    """Return how the training of ``run`` is computed."""
    training, wanted = experiment.config.training, experiment.resources(run)
    attention = experiment.model_of(run).attention
    return _view(MachineJob, training, gpus=wanted.gpus, attention=attention, workers=training.workers_of(wanted))


def mining_job(experiment: Experiment) -> MiningJob:
    """Return what the templates of the objective ``l2t`` depend on, beside records and an edited table."""
    return _view(MiningJob, l2t_config(experiment), tasks=experiment.all_tasks)


def ledger_job(experiment: Experiment) -> LedgerJob:
    """Return what the count of instruction tokens depends on."""
    return LedgerJob(base=experiment.model.source, tasks=tuple(experiment.all_tasks), objective=_l2t(experiment))


def l2t_config(experiment: Experiment) -> L2TConfig:
    """Return the config's section ``l2t``, which may be left out."""
    return experiment.config.l2t or L2TConfig()


def _method(experiment: Experiment, run: str) -> Method:
    """Return what becomes of a run's weights: nothing is told of the numbers of other methods."""
    about = experiment.runs[run]
    if not about.moves_weights:
        return Given()
    numbers = dict(getattr(experiment.config, about.kind, {}))
    return _METHOD.validate_python({"kind": about.kind, "groups": experiment.groups, **numbers})


def _objective(experiment: Experiment) -> Objective:
    return _l2t(experiment) if experiment.config.objective == "l2t" else Response()


def _l2t(experiment: Experiment) -> L2T:
    return L2T(**dict(_view(LearnedConfig, l2t_config(experiment))))


def _view(kind: type[View], section: Section, **more: object) -> View:
    """Return a section's values of the keys that ``kind`` has too, and more."""
    shared = {name: getattr(section, name) for name in kind.model_fields if hasattr(section, name)}
    return kind.model_validate({**shared, **more})
