# Base checkpoints, where the workflow makes them itself, and one training a run.


if PRETRAINED:

    rule pretrain_vision:
        output:
            directory("{checkpoint}-vision"),
        log:
            "<results>/logs/pretrain_vision/{checkpoint}.log",
        benchmark:
            "<results>/benchmarks/pretrain_vision/{checkpoint}.tsv"
        wildcard_constraints:
            checkpoint=one_of(PRETRAINED),
        priority: 60
        conda:
            "../envs/train.yaml"
        threads: lambda w: PRETRAINED[w.checkpoint].pretraining.threads
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            options=lambda w: vision_options(PRETRAINED[w.checkpoint]),
        shell:
            "VISATB_PROGRESS_FD=3 $MODEL_PYTHON $SCRIPTS/pretrain_vision.py {params.options}"
            " --threads {threads} --output {output:q} 3>&2 > {log:q} 2>&1"

    rule pretrain_alignment:
        input:
            "{checkpoint}-vision",
        output:
            directory("{checkpoint}"),
        log:
            "<results>/logs/pretrain_alignment/{checkpoint}.log",
        benchmark:
            "<results>/benchmarks/pretrain_alignment/{checkpoint}.tsv"
        wildcard_constraints:
            checkpoint=one_of(PRETRAINED),
        priority: 60
        conda:
            "../envs/train.yaml"
        threads: lambda w: PRETRAINED[w.checkpoint].pretraining.threads
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            options=lambda w: alignment_options(PRETRAINED[w.checkpoint].pretraining),
        shell:
            "VISATB_PROGRESS_FD=3 $MODEL_PYTHON $SCRIPTS/pretrain_alignment.py --vision {input:q}"
            " {params.options} --threads {threads} --output {output:q} 3>&2 > {log:q} 2>&1"


# No parameter of the rule: where a training is shown should not train it again.
os.environ |= {"TRACKING": tracking_options() or ""}


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
        "<results>/logs/train/{run}.log",
    benchmark:
        "<results>/benchmarks/train/{run}.tsv"
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
        options=training_options,
        machine=machine_options,
        weights=lambda w, input: (f"--weights {shlex.quote(input.weights)}" if input.weights else ""),
    shell:
        "VISATB_PROGRESS_FD=3 {params.launcher} $SCRIPTS/train.py {params.options} {params.machine} $TRACKING"
        " --threads {threads} --mixture {input.mixture:q} {params.weights}"
        " --folder {params.folder:q} --output {output.model:q} 3>&2 > {log:q} 2>&1"


# What the weights wait for goes before what only the benchmark table waits for.
use rule train as train_preparation with:
    wildcard_constraints:
        run=one_of(PREPARATION),
    priority: 30


use rule train as train_single with:
    wildcard_constraints:
        run=one_of(SINGLE),
    priority: 10
