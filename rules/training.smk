# One training a run; with the objective L2T also which sentences of the instructions are templates, and a ledger of
# what of the instructions is learned.

from visatb.experiment.jobs.training import l2t_config, ledger_job, machine_job, mining_job, training_job

LEARNS_INSTRUCTIONS = EXPERIMENT.config.objective == "l2t"
LEDGERS = ["<results>/templates.tsv", "<results>/instruction_ledger.tsv"] if LEARNS_INSTRUCTIONS else []

if wandb := EXPERIMENT.config.tracking.wandb:
    set_untracked("tracking", dict(wandb) | {"experiment": EXPERIMENT.name})


if LEARNS_INSTRUCTIONS:

    rule mine_templates:
        input:
            records=[f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.all_tasks],
            edited=l2t_config(EXPERIMENT).templates or [],
        output:
            "<results>/templates.tsv",
        log:
            log_of("mine_templates"),
        benchmark:
            benchmark_of("mine_templates")
        priority: 50
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=8000,
        params:
            job=as_json(mining_job(EXPERIMENT)),
            records=EXPERIMENT.folder / "records",
        shell:
            program(
                "training mine_templates",
                "--job {params.job:q} --records {params.records:q} --edited {input.edited:q} --output {output:q}",
            )

    rule count_instruction_tokens:
        input:
            records=[f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.all_tasks],
            templates="<results>/templates.tsv",
            base=checkpoint_of(EXPERIMENT.model),
        output:
            "<results>/instruction_ledger.tsv",
        log:
            log_of("count_instruction_tokens"),
        benchmark:
            benchmark_of("count_instruction_tokens")
        priority: 50
        conda:
            "../envs/train.yaml"
        resources:
            mem_mb=8000,
            runtime=120,
        params:
            job=as_json(ledger_job(EXPERIMENT)),
            records=EXPERIMENT.folder / "records",
        shell:
            program(
                "training count_instruction_tokens",
                "--job {params.job:q} --records {params.records:q} --templates {input.templates:q} --output {output:q}",
                python="$MODEL_PYTHON",
            )


rule train:
    input:
        mixture="<results>/mixtures/{run}.arrow",
        base=base_checkpoint,
        weights=weights_file,
        imported=imported_models,
        templates="<results>/templates.tsv" if LEARNS_INSTRUCTIONS else [],
    output:
        model=directory("<results>/runs/{run}/model"),
    log:
        log_of("train/{run}"),
    benchmark:
        benchmark_of("train/{run}")
    wildcard_constraints:
        run=one_of(FINAL),
    priority: 20
    conda:
        "../envs/train.yaml"
    threads: cpus(training_resources)
    resources:
        # Not `threads`, which Snakemake cuts to the number of cores of the machine that it runs on.
        cpus_per_task=cpus(training_resources),
        mem_mb=growing("mem_mb", training_resources),
        runtime=growing("runtime", training_resources),
        gpu=placed("gpu", training_resources),
        gpu_model=placed("gpu_model", training_resources),
        mpi=placed("mpi", training_resources),
        nodes=placed("nodes", training_resources),
        tasks=placed("tasks", training_resources),
        tasks_per_gpu=placed("tasks_per_gpu", training_resources),
        gres=placed("gres", training_resources),
        trainings=1,
    params:
        launcher=launcher,
        folder=subpath(output.model, parent=True),
        job=lambda w: as_json(training_job(EXPERIMENT, w.run)),
        machine=lambda w: as_json(machine_job(EXPERIMENT, w.run)),
    shell:
        program(
            "training train",
            "--job {params.job:q} --machine {params.machine:q} --threads {threads} --mixture {input.mixture:q}"
            " --weights {input.weights:q} --templates {input.templates:q} --folder {params.folder:q} --output {output.model:q}",
            python="{params.launcher}",
        )


# What the weights wait for goes before what only the benchmark table waits for.
use rule train as train_preparation with:
    wildcard_constraints:
        run=one_of(PREPARATION),
    priority: 30


use rule train as train_single with:
    wildcard_constraints:
        run=one_of(SINGLE),
    priority: 10
