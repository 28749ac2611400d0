# What is there already, and what jobs that take it in are told.

REUSE = EXPERIMENT.reuse
KEPT = REUSE.earlier  # of a finished experiment that tasks are added to


def imported(wildcards):
    return REUSE.scores[wildcards.run, wildcards.split, wildcards.task]


def imported_options(wildcards):
    scores = imported(wildcards)
    return options(
        run=wildcards.run,
        split=wildcards.split,
        task=wildcards.task,
        value=[f"{score.metric}={score.value!r}" for score in scores],
        n=[f"{score.metric}={score.n}" for score in scores],
        samples=[f"{score.metric}={score.samples}" for score in scores if score.samples],
    )


def evaluation_of(evaluations):
    """A run where the split and the task of one of these evaluations follow in the path."""
    return f"(?={one_of(f'{run}/{split}/{task}.' for run, split, task in evaluations)})[^/]+"


def imported_models(wildcards):
    """So that every imported model is looked at before anything is trained."""
    return [f"<results>/runs/{run}/model" for run in REUSE.models]
