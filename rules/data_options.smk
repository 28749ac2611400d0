# What data are made of, and the command lines of what reads them, as functions of task and run.

SOURCES = EXPERIMENT.sources


def source_options(wildcards):
    return options(
        task=wildcards.task,
        source=SOURCES[wildcards.task].model_dump_json(exclude_defaults=True),
        task_field=EXPERIMENT.settings(wildcards.task).task_field,
        other_fields=EXPERIMENT.other_fields(wildcards.task),
        tolerated=EXPERIMENT.config.on_bad_records,
        images=f"{EXPERIMENT.prepared_folder}/images",
        output=f"{EXPERIMENT.prepared_folder}/{wildcards.task}",
    )


def source_files(wildcards):
    """Split -> raw files; the rule's inputs by name."""
    return EXPERIMENT.source_files(wildcards.task)


def split_and_file(wildcards):
    files = EXPERIMENT.source_files(wildcards.task)
    return options(file=[f"{split}={file}" for split, names in files.items() for file in names])


def ready_made_rows(run):
    """`task:subset` -> the file with its rows, of the ready-made subsets that decide on a run's mixture."""
    drawn = [task for task, subset in EXPERIMENT.runs[run].mixture.items() if subset != "train"]
    return {
        f"{task}:{subset}": str(EXPERIMENT.folder / "records" / task / f"{subset}.rows.parquet")
        for task, subset in EXPERIMENT.ready_made
        if task in drawn
    }


# Rates that are left to the data are known when these are checked, not when rules are read.
SAMPLING = [] if EXPERIMENT.config.sampling.is_resolved else "<results>/sampling.json"


def given_rates():
    rates = {"mini": EXPERIMENT.config.sampling.mini, "large": EXPERIMENT.config.sampling.large, "train": 1.0}
    return pairs({subset: rate for subset, rate in rates.items() if rate != "auto"})


def model_to_count():
    """The model's processor: of a checkpoint that the workflow makes, what it is made from, so that none is waited for."""
    model = EXPERIMENT.model
    if model.pretraining:
        return dict(tiny=model.family)
    if model.assemble:
        return dict(pieces=pairs({name: piece.source for name, piece in model.assemble}))
    return dict(base=model.source)
