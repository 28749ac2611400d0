"""What the jobs that have an experiment's models answer, and that grade their answers, depend on."""

from collections.abc import Sequence

from visatb.config.endpoints import JudgeConfig
from visatb.evaluation.jobs import (
    BenchmarkJob,
    ContributionJob,
    ContributionTableJob,
    EndpointJob,
    GradingJob,
    JudgeJob,
    LoadedJob,
    LoaderJob,
    PredictionJob,
    ScoringJob,
    ZeroShotJob,
    ZeroShotTableJob,
)
from visatb.evaluation.zero_shot.plan import LOADERS, benchmarks, methods
from visatb.experiment.experiment import Experiment
from visatb.scores.metrics import METRICS


def prediction_job(experiment: Experiment, run: str, split: str, tasks: Sequence[str]) -> PredictionJob:
    """Return what a run's answers to a split depend on.

    Args:
        experiment: the experiment.
        run: the run's name.
        split: ``val`` or ``test``.
        tasks: those that are answered.
    """
    settings = experiment.config.evaluation
    endpoint = settings.endpoint
    served = endpoint and EndpointJob(model=endpoint.model.replace("{run}", run), parameters=endpoint.parameters)
    return PredictionJob(
        run=run,
        split=split,
        max_new_tokens={task: experiment.tasks[task].max_new_tokens for task in tasks},
        shard_size=settings.shard_size,
        order_seed=experiment.config.seed if settings.precision and split == "val" else None,
        loaded=None if served else _loaded(experiment, experiment.model_of(run).attention),
        served=served,
    )


def pilot_job(experiment: Experiment, run: str, split: str, tasks: Sequence[str]) -> PredictionJob:
    """Return what the answers depend on that are given first, to plan how many it takes."""
    first = experiment.config.evaluation.pilot
    return prediction_job(experiment, run, split, tasks).model_copy(update={"first": first})


def judge_job(experiment: Experiment, run: str, split: str, task: str) -> JudgeJob:
    """Return what a judge's verdicts on a run's answers to a task depend on."""
    judge = _judge(experiment)
    return JudgeJob(
        model=judge.model,
        parameters=judge.parameters,
        run=run,
        split=split,
        task=task,
        image_folder=experiment.image_folder(task),
        show_image=judge.show_image,
        prices=judge.prices,
    )


def scoring_job(experiment: Experiment, run: str, tasks: Sequence[str]) -> ScoringJob:
    """Return what the scores of a run's answers to ``tasks`` depend on."""
    metrics = {task: {name: METRICS[name].version for name in experiment.tasks[task].metrics} for task in tasks}
    return ScoringJob(metrics=metrics, origin=experiment.reuse.model_origin(run))


def contribution_job(experiment: Experiment, run: str) -> ContributionJob:
    """Return what the visual contribution to a run's answers depends on."""
    return ContributionJob(
        run=run,
        tasks=contribution_table_job(experiment).tasks[run],
        max_length=experiment.config.training.max_length,
        loaded=_loaded(experiment, experiment.model.attention),
    )


def contribution_table_job(experiment: Experiment) -> ContributionTableJob:
    """Return which runs and tasks the table of visual contributions has: all that are tested."""
    tasks: dict[str, tuple[str, ...]] = {}
    for run, _, task in experiment.evaluations("test"):
        tasks[run] = (*tasks.get(run, ()), task)
    return ContributionTableJob(tasks=tasks)


def zero_shot_job(experiment: Experiment, run: str) -> ZeroShotJob:
    """Return what a run's answers to the zero-shot benchmarks depend on."""
    section = experiment.config.zero_shot
    assert section is not None
    asked = [
        BenchmarkJob(
            name=benchmark.name,
            task=given.task,
            metric=given.metric,
            data=benchmark.data,
            image_folder=benchmark.image_folder,
        )
        for benchmark, given in zip(benchmarks(experiment.config), section.benchmarks.values(), strict=True)
    ]
    loaded = LoaderJob(
        loader=section.loader or LOADERS[experiment.model.family],
        arguments=section.loader_arguments,
        precision=experiment.config.training.precision,
        gpus=experiment.config.resources.predict.gpus,
    )
    return ZeroShotJob(
        run=run,
        benchmarks=tuple(asked),
        python=section.python,
        limit=section.limit,
        cache=section.cache,
        loaded=None if section.endpoint else loaded,
        served_model=section.endpoint.model.replace("{run}", run) if section.endpoint else None,
    )


def grading_job(experiment: Experiment, run: str, benchmark: str) -> GradingJob:
    """Return what a judge's grades of a run's answers to a zero-shot benchmark depend on."""
    judge = _judge(experiment)
    return GradingJob(model=judge.model, parameters=judge.parameters, run=run, benchmark=benchmark, prices=judge.prices)


def zero_shot_table_job(experiment: Experiment) -> ZeroShotTableJob:
    """Return the rows and columns of the table of zero-shot scores."""
    asked = benchmarks(experiment.config)
    return ZeroShotTableJob(
        methods=tuple(methods(experiment.config)),
        higher_is_better={benchmark.name: benchmark.higher_is_better for benchmark in asked},
    )


def _judge(experiment: Experiment) -> JudgeConfig:
    judge = experiment.config.evaluation.judge
    assert judge is not None
    return judge


def _loaded(experiment: Experiment, attention: str) -> LoadedJob:
    return LoadedJob(
        batch_size=experiment.config.evaluation.batch_size,
        precision=experiment.config.training.precision,
        attention=attention,
        gpus=experiment.config.resources.predict.gpus,
    )
