# What jobs are told on their command lines, as functions of the run.

COLUMNS = [f"{task}:{metric}" for task, metric in EXPERIMENT.validation_columns]
GROUPS = [f"{group}={','.join(tasks)}" for group, tasks in EXPERIMENT.groups.items()]


def model_to_ask(wildcards):
    is_trained = EXPERIMENT.runs[wildcards.run].is_trained
    return "<results>/runs/{run}/model" if is_trained else base_checkpoint(wildcards)


def prediction_options(wildcards):
    settings = EXPERIMENT.config.evaluation
    tasks = tasks_to_answer(wildcards)
    return options(
        run=wildcards.run,
        split=wildcards.split,
        max_new_tokens=[f"{task}={EXPERIMENT.tasks[task].max_new_tokens}" for task in tasks],
        shard_size=settings.shard_size,
        **(served_options(wildcards.run) if settings.endpoint else loaded_options(wildcards)),
        order_seed=EXPERIMENT.config.seed if settings.precision and wildcards.split == "val" else None,
    )


def loaded_options(wildcards):
    return dict(
        batch_size=EXPERIMENT.config.evaluation.batch_size,
        precision=EXPERIMENT.config.training.precision,
        attention=model_of(wildcards).attention,
        gpus=answering_resources(wildcards).gpus,
    )


def served_options(run):
    endpoint = EXPERIMENT.config.evaluation.endpoint
    return dict(
        served_model=endpoint.model.replace("{run}", run),
        parameter=pairs({name: json.dumps(value) for name, value in endpoint.parameters.items()}),
    )


def answering_connection():
    """Words without quotes: the shell takes them from a variable, where it would not take quotes away."""
    endpoint = EXPERIMENT.config.evaluation.endpoint
    names = ("url", "key_variable", "concurrency", "timeout", "retries")
    return " ".join(f"--{name.replace('_', '-')} {getattr(endpoint, name)}" for name in names) if endpoint else ""


def pilot_options(wildcards):
    return f"{prediction_options(wildcards)} --first {EXPERIMENT.config.evaluation.pilot}"


def evaluation_sizes(wildcards):
    """The planned number of samples to answer, where it is planned: of the split that weights follow from."""
    planned = EXPERIMENT.config.evaluation.precision and wildcards.split == "val"
    return "<results>/evaluation_sizes.tsv" if planned else []


def tasks_to_answer(wildcards):
    """All at once, but one by one where some are not asked."""
    one = wildcards.get("task")
    return [one] if one else EXPERIMENT.asked(wildcards.run, wildcards.split)


def records_to_answer(wildcards):
    return [f"<results>/records/{task}/{wildcards.split}.parquet" for task in tasks_to_answer(wildcards)]


def answers_to_score(wildcards, folder="<results>"):
    return [f"{folder}/predictions/{{run}}/{{split}}/{task}.parquet" for task in tasks_to_answer(wildcards)]


def verdicts(wildcards, folder="<results>"):
    judged = [task for task in tasks_to_answer(wildcards) if task in EXPERIMENT.judged_tasks]
    return [f"{folder}/verdicts/{{run}}/{{split}}/{task}.parquet" for task in judged]


def scoring_options(wildcards):
    tasks = tasks_to_answer(wildcards)
    return options(
        metrics=[f"{task}={','.join(EXPERIMENT.tasks[task].metrics)}" for task in tasks],
        origin=REUSE.model_origin(wildcards.run),
    )


def scoring_folders(wildcards, output, folder):
    """Where a run's answers and a judge's verdicts on them lie, and where the scores go."""
    kinds = {"predictions": "predictions", "verdicts": "verdicts", "output": "scores"}
    folders = {name: folder / kind / wildcards.run / wildcards.split for name, kind in kinds.items()}
    return options(**folders, digests=output.get("digests"))


def metric_versions(wildcards):
    """No option of a job: a parameter, so that a new version of a metric scores again."""
    return [METRICS[metric].version for task in tasks_to_answer(wildcards) for metric in EXPERIMENT.tasks[task].metrics]


def judge_options(wildcards):
    judge = EXPERIMENT.config.evaluation.judge
    return options(
        label=f"judge {wildcards.run} {wildcards.split} {wildcards.task}",
        image_folder=EXPERIMENT.image_folder(wildcards.task),
        show_image=judge.show_image,
        model=judge.model,
        parameter=pairs({name: json.dumps(value) for name, value in judge.parameters.items()}),
        prices=judge.prices and [judge.prices.input, judge.prices.output],
    )


def judge_connection():
    judge = EXPERIMENT.config.evaluation.judge
    names = ("endpoint", "key_variable", "concurrency", "timeout", "retries")
    return options(**{name: getattr(judge, name) for name in names})


def weights_options(weights):
    settings = EXPERIMENT.balance_settings(weights)
    return options(
        column=COLUMNS,
        group=GROUPS,
        **settings.model_dump(exclude={"alpha", "difficulty"}),
        **dict(zip(("alpha_out", "alpha_in", "alpha_difficulty"), settings.alphas)),
        difficulty=settings.difficulty_used,
        bootstrap=EXPERIMENT.config.balancing.bootstrap,
        seed=EXPERIMENT.config.seed,
        fixed=pairs({task: fixed.weight for task, fixed in EXPERIMENT.config.fixed_tasks.items()}),
        remark=REMARKS,
    )


def variant_options():
    """The variants that the benchmark has rows of, in blocks of what they change."""
    blocks = variant_blocks(
        {name: EXPERIMENT.balance_settings(name) for name in EXPERIMENT.balancings}, EXPERIMENT.config.methods
    )
    return " ".join(options(block=pairs(block)) for block in blocks)


def reported(path, category, caption, shows=None):
    """A result that the report shows in a category, which Snakemake sorts by name, under the words ``shows``."""
    words = {"shows": shows or caption.replace("_", " ")}
    return report(path, caption=f"../report/{caption}.rst", category=category, labels=words)


def figure(name, category, shows=None):
    return reported(f"<results>/figures/{name}.svg", category, name, shows)
