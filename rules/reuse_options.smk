# What is there already.

REUSE = EXPERIMENT.reuse
KEPT = REUSE.earlier  # of a finished experiment that tasks are added to


def imported_models(wildcards):
    """So that every imported model is looked at before anything is trained."""
    return [f"<results>/runs/{run}/model" for run in REUSE.models]
