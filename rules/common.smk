# The config becomes one Experiment; paths, options and resources become small functions of its runs.

from visatb.experiment.experiment import Experiment
from visatb.planning.preflight import check_machine

# Targets are not known yet while rules are read.
LOOKS = "status" in sys.argv[1:]

try:
    EXPERIMENT = Experiment.from_values(config, "the config")
    if workflow.is_main_process and not LOOKS:  # a job on another machine is not the place to refuse the experiment
        check_machine(EXPERIMENT)
except VisatbError as mistake:
    raise WorkflowError(str(mistake)) from None

os.environ |= {"MODEL_PYTHON": EXPERIMENT.config.python or "python"}
REUSE = EXPERIMENT.reuse
KEPT = REUSE.earlier  # of a finished experiment that tasks are added to
TRAINED = [run.name for run in EXPERIMENT.trained_runs]
PREPARATION = [run.name for run in EXPERIMENT.preparation_runs if run.name in TRAINED]
SINGLE = [run.name for run in EXPERIMENT.final_runs if run.kind == "single" and run.name not in PREPARATION]
FINAL = [run.name for run in EXPERIMENT.final_runs if run.kind != "single"]
EVALUATIONS = [evaluation for on in ("val", "test") for evaluation in EXPERIMENT.evaluations(on)]
# The runs and splits of which one job answers all tasks, and one scores them.
TOGETHER = {
    (run.name, split)
    for run in EXPERIMENT.runs.values()
    for split in run.evaluates
    if len(EXPERIMENT.answered_tasks(run.name, split)) == len(EXPERIMENT.tasks)
}


def answering(all_tasks):
    """The runs that answer all tasks, or some one by one, each where the split of which this is true follows."""
    places = [(run.name, split) for run in EXPERIMENT.runs.values() for split in run.evaluates]
    wanted = [f"{run}/{split}" for run, split in places if ((run, split) in TOGETHER) == all_tasks]
    return f"(?={one_of(wanted)}[/.])[^/]+"


def scored(evaluations, folder="<results>"):
    """What tells that these evaluations are scored: of all tasks of a run and split one file, with digests.

    To wait for every task's scores instead would be N times as much for Snakemake to follow.
    """
    return list(
        dict.fromkeys(
            (
                f"{folder}/scores/{run}/{split}.json"
                if (run, split) in TOGETHER
                else f"{folder}/scores/{run}/{split}/{task}.parquet"
            )
            for run, split, task in evaluations
        )
    )


def missing_scores(*splits):
    """Scores that were made and are not there any more: jobs that read them wait for the digests alone."""
    scores = EXPERIMENT.folder / "scores"
    made = [(run, split) for run, split in TOGETHER if split in splits and (scores / run / f"{split}.json").is_file()]
    names = [f"{run}/{split}/{task}.parquet" for run, split in made for task in EXPERIMENT.tasks]
    return [f"<results>/scores/{name}" for name in names if not (scores / name).is_file()]


def imported_models(wildcards):
    """So that every imported model is looked at before anything is trained."""
    return [f"<results>/runs/{run}/model" for run in REUSE.models]


def model_of(wildcards):
    """The model that a run is a training of."""
    return EXPERIMENT.model_of(wildcards.run)


def base_of(wildcards):
    """The folder or hub name of the model that a training starts from."""
    return model_of(wildcards).source


def checkpoint_of(model):
    """A model's checkpoint, where it is a folder; a hub name is no file to wait for."""
    return model.source if model.is_made_here or Path(model.source).exists() else []


def base_checkpoint(wildcards):
    """The model that a run's training starts from."""
    return checkpoint_of(model_of(wildcards))


def weights_file(wildcards):
    weights = EXPERIMENT.runs[wildcards.run].weights
    if weights == "visatb":
        return "<results>/weights.tsv"
    return f"<results>/variants/{weights}/weights.tsv" if weights in EXPERIMENT.config.variants else []


def model_to_ask(wildcards):
    """The model as a file to wait for: none if it is on the hub."""
    is_trained = EXPERIMENT.runs[wildcards.run].is_trained
    return "<results>/runs/{run}/model" if is_trained else base_checkpoint(wildcards)


def model_name(wildcards):
    """The model's folder, or its name on the hub: a parameter without `input`, for only those are compared."""
    is_trained = EXPERIMENT.runs[wildcards.run].is_trained
    return str(EXPERIMENT.folder / "runs" / wildcards.run / "model") if is_trained else base_of(wildcards)


def tasks_to_answer(wildcards):
    """All at once, but one by one where some are not asked."""
    task = wildcards.get("task")
    return [task] if task else EXPERIMENT.answered_tasks(wildcards.run, wildcards.split)


def records_to_answer(wildcards):
    return [f"<results>/records/{task}/{wildcards.split}.parquet" for task in tasks_to_answer(wildcards)]


def evaluation_sizes(wildcards):
    """The planned number of samples to answer, where it is planned: of the split that weights follow from."""
    planned = EXPERIMENT.config.evaluation.precision and wildcards.split == "val"
    return "<results>/evaluation_sizes.tsv" if planned else []


def answers_to_score(wildcards, folder="<results>"):
    return [f"{folder}/predictions/{{run}}/{{split}}/{task}.parquet" for task in tasks_to_answer(wildcards)]


def verdicts(wildcards, folder="<results>"):
    judged = [task for task in tasks_to_answer(wildcards) if task in EXPERIMENT.judged_tasks]
    return [f"{folder}/verdicts/{{run}}/{{split}}/{task}.parquet" for task in judged]


def folder_of(kind, within=""):
    """Where a run's files of a kind lie."""
    return lambda wildcards: EXPERIMENT.folder / within / kind / wildcards.run / wildcards.split


def digests_file(wildcards, output):
    return output.get("digests", [])


def ready_made_rows(run):
    """`task:subset` -> the file with its rows, of the ready-made subsets that decide on a run's mixture."""
    drawn = [task for task, subset in EXPERIMENT.runs[run].mixture.items() if subset != "train"]
    return {
        f"{task}:{subset}": str(EXPERIMENT.folder / "records" / task / f"{subset}.rows.parquet")
        for task, subset in EXPERIMENT.ready_made
        if task in drawn
    }


def imported(wildcards):
    """The scores of elsewhere that stand for an evaluation."""
    return REUSE.scores[wildcards.run, wildcards.split, wildcards.task]


def evaluation_of(evaluations):
    """A run where the split and the task of one of these evaluations follow in the path."""
    return f"(?={one_of(f'{run}/{split}/{task}.' for run, split, task in evaluations)})[^/]+"


wildcard_constraints:
    run=one_of(EXPERIMENT.runs),
    task=one_of(EXPERIMENT.all_tasks),
    split="train|val|test",
    variant=one_of(EXPERIMENT.config.variants),
