"""What an experiment's trainings and evaluation need of the machine, asked before anything is trained."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

from visatb.config.endpoints import OPENAI
from visatb.errors import VisatbError, bullet_list
from visatb.evaluation.zero_shot.benchmarks import Benchmark, data_problems
from visatb.evaluation.zero_shot.plan import benchmarks, methods
from visatb.experiment.experiment import Experiment
from visatb.scores.metrics import JAVA_METRICS
from visatb.scores.ptb import require_java


def check_machine(experiment: Experiment) -> None:
    """Raise one `VisatbError` with all that the trainings and scores still to be made will miss here, or return."""
    unscored = _unscored(experiment)
    keys = [*_key(experiment, unscored), *_servers_key(experiment, unscored)]
    evaluation = [*_java(experiment, unscored), *keys, *_zero_shot(experiment)]
    training = list(_wandb(experiment))
    missing = {"evaluation": evaluation, "training": training}
    problems = [
        f"the {what} could not run on this machine:\n{bullet_list(lines)}" for what, lines in missing.items() if lines
    ]
    if problems:
        raise VisatbError("\n".join(problems))


def _unscored(experiment: Experiment) -> set[str]:
    """Return the tasks of which a score is missing: a finished experiment can be looked at anywhere."""
    evaluations = [evaluation for split in ("val", "test") for evaluation in experiment.evaluations(split)]
    evaluations = [evaluation for evaluation in evaluations if evaluation not in experiment.reuse.scored]
    scores = experiment.folder / "scores"
    return {task for run, split, task in evaluations if not (scores / run / split / f"{task}.parquet").is_file()}


def _java(experiment: Experiment, unscored: set[str]) -> Iterator[str]:
    tasks = [task for task, metric in experiment.validation_columns if metric in JAVA_METRICS and task in unscored]
    try:
        if tasks:
            require_java()
    except VisatbError as error:
        yield f"tasks {', '.join(tasks)}: {error}"


def _key(experiment: Experiment, unscored: set[str]) -> Iterator[str]:
    """A key is needed by OpenAI itself, and wherever the config names its variable; a local server needs none."""
    judge = experiment.config.evaluation.judge
    tasks = [task for task in experiment.judged_tasks if task in unscored]
    tasks += [benchmark.name for benchmark in _unanswered(experiment) if benchmark.is_judged]
    if judge is None or not tasks or os.environ.get(judge.key_variable):
        return
    if judge.url == OPENAI or "key_variable" in judge.model_fields_set:
        yield (
            f"tasks {', '.join(tasks)}: the judge at {judge.url} needs a key, and the environment variable "
            f"{judge.key_variable} is not set; set it, or name another one in evaluation.judge.key_variable"
        )


def _servers_key(experiment: Experiment, unscored: set[str]) -> Iterator[str]:
    """A server's key is needed where the config names its variable."""
    endpoint = experiment.config.evaluation.endpoint
    if endpoint is None or not unscored or "key_variable" not in endpoint.model_fields_set:
        return
    if not os.environ.get(endpoint.key_variable):
        yield (
            f"evaluation.endpoint: the environment variable {endpoint.key_variable}, which is to hold the key, is not "
            "set; set it, or take key_variable away if the server needs none"
        )


def _wandb(experiment: Experiment) -> Iterator[str]:
    """Weights & Biases needs its package where trainings run, and a key unless it is to stay offline."""
    trained = all((experiment.folder / "runs" / run.name / "model").is_dir() for run in experiment.trained_runs)
    if experiment.config.tracking.wandb is None or trained:
        return
    python = experiment.config.python or sys.executable
    look = "import importlib.util, sys; sys.exit(importlib.util.find_spec('wandb') is None)"
    try:
        lacks = subprocess.run([python, "-c", look], capture_output=True, timeout=60, check=False).returncode != 0
    except (OSError, subprocess.TimeoutExpired) as error:
        yield f"python: {python} cannot be asked for the package wandb ({error}); correct its path"
        return
    if lacks:
        yield f"tracking.wandb: {python} has no package wandb; install it there (pip install wandb), or take this away"
    if not os.environ.get("WANDB_API_KEY") and os.environ.get("WANDB_MODE") not in ("offline", "disabled"):
        yield (
            "tracking.wandb: the environment variable WANDB_API_KEY is not set; set it, or WANDB_MODE=offline to write "
            "files that `wandb sync` sends later"
        )


def _zero_shot(experiment: Experiment) -> Iterator[str]:
    """Local questions are looked at, and the interpreter that is to ask them must be there."""
    asked = _unanswered(experiment)
    yield from (f"zero_shot.benchmarks.{problem}" for problem in data_problems(asked))
    python = experiment.config.zero_shot.python if asked and experiment.config.zero_shot else None
    if python is not None and shutil.which(python) is None:
        yield f"zero_shot.python: {python} cannot be found or run on this machine; `make zero-shot-env` sets one up"


def _unanswered(experiment: Experiment) -> list[Benchmark]:
    """Return the benchmarks of which a score is missing."""
    folder = experiment.folder / "zero_shot"
    runs = methods(experiment.config)
    return [
        benchmark
        for benchmark in benchmarks(experiment.config)
        if not all((folder / run / f"{benchmark.name}.json").is_file() for run in runs)
    ]
