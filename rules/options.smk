# What jobs are told on their command lines, as functions of the run.

# Checkpoint -> how it is made, of the models that the workflow makes itself.
PRETRAINED = {model.checkpoint: model for model in EXPERIMENT.models if model.pretraining}
ASSEMBLED = {model.checkpoint: model.assemble for model in EXPERIMENT.models if model.assemble}
LEARNS_INSTRUCTIONS = EXPERIMENT.config.objective == "l2t"
L2T = EXPERIMENT.config.l2t or L2TConfig()
COLUMNS = [f"{task}:{metric}" for task, metric in EXPERIMENT.validation_columns]
GROUPS = [f"{group}={','.join(tasks)}" for group, tasks in EXPERIMENT.groups.items()]
RECIPE = (
    "epochs",
    "global_batch_size",
    "learning_rate",
    "warmup",
    "schedule",
    "weight_decay",
    "beta1",
    "beta2",
    "max_gradient_norm",
    "max_length",
    "precision",
    "normalization",
)


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


def model_to_ask(wildcards):
    is_trained = EXPERIMENT.runs[wildcards.run].is_trained
    return "<results>/runs/{run}/model" if is_trained else base_checkpoint(wildcards)


def weights_file(wildcards):
    weights = EXPERIMENT.runs[wildcards.run].weights
    if weights == "visatb":
        return "<results>/weights.tsv"
    return f"<results>/variants/{weights}/weights.tsv" if weights in EXPERIMENT.config.variants else []


def method_options(run):
    """What a method that moves its weights is told: nothing of the numbers of other methods."""
    if not run.moves_weights:
        return {}
    numbers = dict(getattr(EXPERIMENT.config, run.kind, {}))
    return dict(method=run.kind, group=GROUPS, **{f"{run.kind}_{name}": number for name, number in numbers.items()})


def pieces_here(wildcards):
    """Pieces on the hub are no files that could be newer than the checkpoint."""
    return [piece.source for _, piece in ASSEMBLED[wildcards.checkpoint] if Path(piece.source).exists()]


def vision_options(model):
    return options(family=model.family, seed=model.pretraining.seed, **dict(model.pretraining.vision))


def alignment_options(pretraining):
    return options(seed=pretraining.seed, **dict(pretraining.alignment))


def objective_options():
    """What all trainings are told to learn besides the answers."""
    if not LEARNS_INSTRUCTIONS:
        return {}
    return dict(
        objective="l2t",
        instruction_weight=L2T.instruction_weight,
        text_only=L2T.text_only,
        templates=EXPERIMENT.folder / "templates.tsv",
    )


def training_options(wildcards):
    settings = EXPERIMENT.config.training
    return options(
        run=wildcards.run,
        base=base_of(wildcards),
        weight=pairs(EXPERIMENT.given_weights(wildcards.run)),
        seed=EXPERIMENT.config.seed + EXPERIMENT.runs[wildcards.run].repetition,
        **{name: getattr(settings, name) for name in RECIPE},
        freeze=model_of(wildcards).freeze,
        **method_options(EXPERIMENT.runs[wildcards.run]),
        **objective_options(),
    )


def machine_options(wildcards):
    settings = EXPERIMENT.config.training
    return options(
        micro_batch_size=settings.micro_batch_size,
        gpus=training_resources(wildcards).gpus,
        attention=model_of(wildcards).attention,
        packing=settings.packing,
        gradient_checkpointing=settings.gradient_checkpointing,
        deepspeed=settings.deepspeed,
        workers=settings.workers_of(training_resources(wildcards)),
        save_steps=settings.save_steps,
        keep_checkpoints=settings.keep_checkpoints,
    )


def tracking_options():
    wandb = EXPERIMENT.config.tracking.wandb
    return wandb and options(wandb_project=wandb.project, wandb_entity=wandb.entity, experiment=EXPERIMENT.name)


def launcher(wildcards):
    """Several processes, one a GPU, are started by torchrun, and so is DeepSpeed; one process alone as it is."""
    wanted = training_resources(wildcards)
    if wanted.nodes > 1:
        return f"{on_every_node(wanted)} --nproc-per-node {max(1, wanted.gpus)} --"
    if wanted.gpus > 1 or EXPERIMENT.config.training.deepspeed:
        return f"$MODEL_PYTHON -m torch.distributed.run --standalone --nproc-per-node {max(1, wanted.gpus)} --"
    return "$MODEL_PYTHON"


def on_every_node(wanted):
    """The batch script runs on the first node, where the others find it at a port made of the job's number.

    USR1 reaches all processes of a step; see resources.smk for why torchrun must ignore it.
    """
    return (
        f"srun --nodes={wanted.nodes} --ntasks={wanted.nodes} --ntasks-per-node=1 --cpus-per-task={wanted.cpus}"
        ' sh -c \'trap "" USR1; exec "$@"\' torchrun $MODEL_PYTHON -m torch.distributed.run'
        f" --nnodes {wanted.nodes} --rdzv-backend c10d --rdzv-id ${{SLURM_JOB_ID:?several nodes need Slurm}}"
        " --rdzv-endpoint $(hostname):$((20000 + SLURM_JOB_ID % 10000))"
    )


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
        **vars(settings),
        bootstrap=EXPERIMENT.config.balancing.bootstrap,
        seed=EXPERIMENT.config.seed,
        fixed=pairs({task: fixed.weight for task, fixed in EXPERIMENT.config.fixed_tasks.items()}),
        remark=REMARKS,
    )
