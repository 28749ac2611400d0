"""What the jobs that take an experiment's scores in and compare them depend on."""

from visatb.experiment.experiment import Experiment
from visatb.scores.jobs import BenchmarkJob, ComparisonJob, ImportJob, KeptJob, KnownScore


def benchmark_job(experiment: Experiment) -> BenchmarkJob:
    """Return what the benchmark table depends on."""
    return BenchmarkJob(
        methods=experiment.config.methods,
        metrics=experiment.metrics,
        bootstrap=experiment.config.balancing.bootstrap,
        seed=experiment.config.seed,
        single={run.evaluates["test"][0]: run.name for run in experiment.final_runs if run.kind == "single"},
    )


def comparison_job(experiment: Experiment) -> ComparisonJob:
    """Return what the table of this experiment and those of ``compare_with`` depends on."""
    return ComparisonJob(experiments=(*experiment.config.compare_with, experiment.name), metrics=experiment.metrics)


def imported_scores_job(experiment: Experiment, run: str, split: str, task: str) -> ImportJob:
    """Return the scores of an evaluation that the config's ``imports`` give."""
    scores = experiment.reuse.scores[run, split, task]
    known = {score.metric: KnownScore(value=score.value, n=score.n) for score in scores}
    return ImportJob(run=run, split=split, task=task, scores=known)


def kept_job(experiment: Experiment, task: str) -> KeptJob:
    """Return what taking scores of a finished experiment over depends on."""
    return KeptJob(metrics=experiment.metrics[task])
