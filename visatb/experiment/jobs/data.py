"""What the jobs that make an experiment's data depend on."""

from visatb.data.jobs import MixtureJob, SourceJob, SplitJob
from visatb.experiment.experiment import Experiment


def split_job(experiment: Experiment, task: str, split: str) -> SplitJob:
    """Return what the check of a split depends on. Metrics matter only by whether they want boxes."""
    return _split_job(experiment, task, split, boxes=bool(experiment.box_metrics(task)))


def subset_job(experiment: Experiment, task: str) -> SplitJob:
    """Return what finding a task's ready-made subset in its train split depends on."""
    return _split_job(experiment, task, "train", tolerated=0.0)


def source_job(experiment: Experiment, task: str) -> SourceJob:
    """Return what the preparation of a task's splits from a published data set depends on."""
    return SourceJob(
        task=task,
        source=experiment.sources[task],
        task_field=experiment.settings(task).task_field,
        other_fields=experiment.other_fields(task),
        tolerated=experiment.config.on_bad_records,
    )


def mixture_job(experiment: Experiment, run: str) -> MixtureJob:
    """Return what the training set of a run depends on; rates that the data decide on (``auto``) are left out."""
    sampling = experiment.config.sampling
    rates = {"mini": sampling.mini, "large": sampling.large, "train": 1.0}
    return MixtureJob(
        subsets=experiment.runs[run].mixture,
        rates={subset: rate for subset, rate in rates.items() if rate != "auto"},
        seed=experiment.config.seed,
    )


def _split_job(experiment: Experiment, task: str, split: str, **more: object) -> SplitJob:
    about = {
        "image_folder": experiment.image_folder(task),
        "task_field": experiment.settings(task).task_field,
        "other_fields": experiment.other_fields(task),
        "number_ids": experiment.config.duplicate_ids == "number",
        "tolerated": experiment.config.on_bad_records,
    }
    return SplitJob.model_validate({"task": task, "split": split, **about, **more})
