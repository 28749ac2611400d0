# What the experiment costs, counted and shown before anything of it is trained.

# Trainings do not wait for the plan's file, which every key of the config makes anew: that would train them again. While
# the plan is made, it holds all of what each training needs one of; the profile says how much there is.
ALL_TRAININGS = 1000
RECORDS = [f"<results>/records/{task}/{split}.parquet" for task, split in EXPERIMENT.splits]
ROWS = [f"<results>/records/{task}/{subset}.rows.parquet" for task, subset in EXPERIMENT.ready_made]


def model_to_count():
    """The model's processor: of a checkpoint that the workflow makes, what it is made from, so that none is waited for."""
    model = EXPERIMENT.model
    if model.pretraining:
        return dict(tiny=model.family)
    if model.assemble:
        return dict(pieces=pairs({name: piece.source for name, piece in model.assemble}))
    return dict(base=model.source)


rule count_tokens:
    input:
        records=RECORDS,
        base=[] if EXPERIMENT.model.is_made_here else checkpoint_of(EXPERIMENT.model),
    output:
        ledger="<results>/token_ledger.tsv",
        counts="<results>/token_counts.parquet",
        sizes="<results>/model_size.json",
    log:
        "<results>/logs/count_tokens.log",
    benchmark:
        "<results>/benchmarks/count_tokens.tsv"
    priority: 10000
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
        trainings=ALL_TRAININGS,
    params:
        records=EXPERIMENT.folder / "records",
        options=options(
            split=[f"{task}={split}" for task, split in EXPERIMENT.splits],
            **model_to_count(),
            freeze=EXPERIMENT.model.freeze,
            max_length=EXPERIMENT.config.training.max_length,
            micro_batch_size=EXPERIMENT.config.training.micro_batch_size,
            packing=EXPERIMENT.config.training.packing,
            seed=EXPERIMENT.config.seed,
        ),
    shell:
        "VISATB_PROGRESS_FD=3 $MODEL_PYTHON $SCRIPTS/count_tokens.py --records {params.records:q} {params.options}"
        " --ledger {output.ledger:q} --counts {output.counts:q} --sizes {output.sizes:q} 3>&2 > {log:q} 2>&1"


if SAMPLING:

    rule resolve_sampling:
        input:
            [f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.all_tasks],
        output:
            SAMPLING,
        log:
            "<results>/logs/resolve_sampling.log",
        benchmark:
            "<results>/benchmarks/resolve_sampling.tsv"
        priority: 10000
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            records=EXPERIMENT.folder / "records",
            options=options(
                large=EXPERIMENT.config.sampling.large,
                mini=EXPERIMENT.config.sampling.mini,
                group=GROUPS,
                fixed=list(EXPERIMENT.config.fixed_tasks),
                global_batch_size=EXPERIMENT.config.training.global_batch_size,
                epochs=EXPERIMENT.config.training.epochs,
            ),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/resolve_sampling.py --records {params.records:q} {params.options}"
            " --output {output:q} 3>&2 > {log:q} 2>&1"


rule plan:
    input:
        RECORDS,
        ROWS,
        ledger="<results>/token_ledger.tsv",
        counts="<results>/token_counts.parquet",
        sizes="<results>/model_size.json",
        sampling=SAMPLING,
    output:
        "<results>/plan.tsv",
    log:
        "<results>/logs/plan.log",
    benchmark:
        "<results>/benchmarks/plan.tsv"
    priority: 10000
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
        trainings=ALL_TRAININGS,
    params:
        config=lambda w: json.dumps(config, separators=(",", ":")),
        records=EXPERIMENT.folder / "records",
        sampling=options(sampling=EXPERIMENT.folder / "sampling.json" if SAMPLING else None),
    shell:
        "VISATB_PROGRESS_FD=3 python $SCRIPTS/plan.py --config {params.config:q} --records {params.records:q}"
        " --ledger {input.ledger:q} --counts {input.counts:q} --sizes {input.sizes:q} {params.sampling}"
        " --output {output:q} 3>&2 > {log:q} 2>&1"
