"""What the jobs that lead from an experiment's validation scores to its weights depend on."""

from visatb.balancing.jobs import DesignJob, GroupingJob, MatrixJob, SizesJob, WeightsJob
from visatb.balancing.run_names import RunName
from visatb.experiment.experiment import Experiment


def matrix_job(experiment: Experiment) -> MatrixJob:
    """Return what the validation matrix depends on."""
    settings, everything = experiment.config.balancing, tuple(experiment.tasks)
    scored = {run.name: run.evaluates["val"] for run in experiment.preparation_runs if not run.repetition}
    names = {run: RunName.parse(run, experiment.groups) for run in scored}
    trainings = {run: name.repeated(settings.seeds, settings.mini_seeds) for run, name in names.items()}
    return MatrixJob(
        metrics=experiment.metrics,
        runs={run: () if tasks == everything else tasks for run, tasks in scored.items()},
        repetitions={run: tuple(map(str, again)) for run, again in trainings.items() if len(again) > 1},
    )


def design_job(experiment: Experiment, weights: str) -> DesignJob:
    """Return what follows from scores for the weights of ``visatb`` or of a variant."""
    return DesignJob(
        metrics=experiment.metrics, groups=experiment.groups, settings=experiment.balance_settings(weights)
    )


def weights_job(experiment: Experiment, weights: str) -> WeightsJob:
    """Return what the weights of ``visatb`` or of a variant, and their intervals, depend on."""
    return WeightsJob(
        **dict(design_job(experiment, weights)),
        bootstrap=experiment.config.balancing.bootstrap,
        seed=experiment.config.seed,
        fixed={task: fixed.weight for task, fixed in experiment.config.fixed_tasks.items()},
        notes=experiment.notes,
    )


def sizes_job(experiment: Experiment) -> SizesJob:
    """Return what the planned number of answers depends on."""
    evaluation = experiment.config.evaluation
    return SizesJob(
        **dict(design_job(experiment, "visatb")), precision=evaluation.precision, round_to=evaluation.shard_size
    )


def grouping_job(experiment: Experiment) -> GroupingJob:
    """Return what proposed groups depend on: how questions are drawn only where groups follow from questions."""
    grouping, rate_mini = experiment.config.grouping, experiment.config.sampling.mini
    by_questions = grouping.by == "instructions"
    return GroupingJob(
        groups=experiment.groups,
        number=grouping.number,
        rate_mini=None if rate_mini == "auto" else rate_mini,
        samples=grouping.samples if by_questions else None,
        seed=experiment.config.seed if by_questions else None,
    )
