"""What an experiment's evaluation needs of the machine, asked before anything is trained."""

import os
from collections.abc import Iterator

from visatb.config import OPENAI
from visatb.errors import VisatbError, bullet_list
from visatb.evaluation.metric_names import JAVA_METRICS
from visatb.evaluation.ptb import require_java
from visatb.experiment import Experiment


def check_machine(experiment: Experiment) -> None:
    """Raise one `VisatbError` with all that the metrics of an experiment will miss on this machine, or return."""
    missing = [*_java(experiment), *_key(experiment)]
    if missing:
        raise VisatbError(f"the evaluation could not run on this machine:\n{bullet_list(missing)}")


def _java(experiment: Experiment) -> Iterator[str]:
    tasks = [task for task, metric in experiment.validation_columns if metric in JAVA_METRICS]
    try:
        if tasks:
            require_java()
    except VisatbError as error:
        yield f"tasks {', '.join(tasks)}: {error}"


def _key(experiment: Experiment) -> Iterator[str]:
    """A key is needed by OpenAI itself, and wherever the config names its variable; a local server needs none."""
    judge = experiment.config.evaluation.judge
    if judge is None or not experiment.judged_tasks or os.environ.get(judge.key_variable):
        return
    if judge.endpoint == OPENAI or "key_variable" in judge.model_fields_set:
        yield (
            f"tasks {', '.join(experiment.judged_tasks)}: the judge at {judge.endpoint} needs a key, and the "
            f"environment variable {judge.key_variable} is not set; set it, or name another one in "
            "evaluation.judge.key_variable"
        )
