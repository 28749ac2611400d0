"""What an experiment will train and evaluate, counted before anything is trained."""

from collections.abc import Mapping
from math import ceil

import pandas as pd

from visatb.data.mixtures import subset_size
from visatb.experiment.experiment import Experiment
from visatb.experiment.runs import Run
from visatb.planning.costs import Basis, RunCosts

Sizes = Mapping[tuple[str, str], int]
"""(task, split) -> number of its records; also (task, ``mini`` or ``large``), where such a subset is ready-made."""


def plan(experiment: Experiment, sizes: Sizes, basis: Basis | None = None) -> pd.DataFrame:
    """Return one row a run: ``run``, ``kind``, ``trained on``, ``samples``, ``steps`` and ``evaluations``.

    ``samples`` are those of one epoch, ``steps`` the optimiser steps of the whole training, ``evaluations`` the
    answers that are generated for it. With ``basis``, estimated costs follow: see `RunCosts.columns`.
    """
    return pd.DataFrame([_row(experiment, run, sizes, basis) for run in experiment.runs.values()])


def idle_methods(experiment: Experiment, plan: pd.DataFrame) -> list[str]:
    """Return a line for each method whose training ends before its weights move, so that it would be `ew`."""
    config = experiment.config
    first_moved = {
        "dwa": (2 * config.dwa.window, "lower dwa.window"),
        "igbv1": (config.igbv1.last_step + 1, "lower igbv1.first_step and igbv1.last_step"),
    }
    steps = plan.set_index("run")["steps"]
    return [
        f"{method}: its weights move after {moved} steps, and its training has {steps[method]}; {remedy}"
        for method, (moved, remedy) in first_moved.items()
        if method in steps.index and 0 < steps[method] <= moved
    ]


def _row(experiment: Experiment, run: Run, sizes: Sizes, basis: Basis | None) -> dict[str, object]:
    training = experiment.config.training
    reused = _reused(experiment, run)
    mixture = {} if reused else run.mixture
    of_task = {task: _samples(experiment, sizes, task, subset) for task, subset in mixture.items()}
    samples = sum(of_task.values())
    steps = ceil(ceil(samples / training.global_batch_size) * training.epochs)
    answers = {
        (task, split): sizes[task, split]
        for split in run.evaluates
        for task in experiment.answered_tasks(run.name, split)
    }
    counted = {
        "run": run.name,
        "kind": run.kind,
        "trained on": reused or _words(run.mixture),
        "samples": samples,
        "steps": steps,
        "evaluations": sum(answers.values()),
    }
    if basis is None:
        return counted
    return counted | RunCosts(experiment, run, of_task, steps, answers).columns(basis)


def _reused(experiment: Experiment, run: Run) -> str:
    """Return why a run is not trained here, if it would be."""
    if not run.is_trained or run in experiment.trained_runs:
        return ""
    return "nothing: its model is there" if run.name in experiment.reuse.models else "nothing: its scores are there"


def _samples(experiment: Experiment, sizes: Sizes, task: str, subset: str) -> int:
    ready_made = sizes.get((task, subset)) if subset != "train" else None
    return subset_size(sizes[task, "train"], experiment.rate(subset)) if ready_made is None else ready_made


def _words(mixture: Mapping[str, str]) -> str:
    if not mixture:
        return "nothing: the base model as it is"
    if len(set(mixture.values())) == 1 and len(mixture) > 1:
        return f"{next(iter(mixture.values()))} of all tasks"
    special = [f"{subset} of {task}" for task, subset in mixture.items() if subset != "mini" or len(mixture) == 1]
    return ", ".join(special) + (", mini of the others" if len(special) < len(mixture) else "")
