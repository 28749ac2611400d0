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
