# What the experiment costs, counted and shown before anything of it is trained.

from visatb.planning.jobs import count_job, sampling_job

# Trainings do not wait for the plan's file, which every key of the config makes anew: that would train them again. While
# the plan is made, it holds all of what each training needs one of; the profile says how much there is.
ALL_TRAININGS = 1000
RECORDS = [f"<results>/records/{task}/{split}.parquet" for task, split in EXPERIMENT.splits]
ROWS = [f"<results>/records/{task}/{subset}.rows.parquet" for task, subset in EXPERIMENT.ready_made]


rule count_tokens:
    input:
        records=RECORDS,
        base=[] if EXPERIMENT.model.is_made_here else checkpoint_of(EXPERIMENT.model),
    output:
        ledger="<results>/token_ledger.tsv",
        counts="<results>/token_counts.parquet",
        sizes="<results>/model_size.json",
    log:
        log_of("count_tokens"),
    benchmark:
        benchmark_of("count_tokens")
    priority: 10000
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=8000,
        trainings=ALL_TRAININGS,
    params:
        job=lambda w: as_json(count_job(EXPERIMENT)),
        records=EXPERIMENT.folder / "records",
    shell:
        program(
            "planning count_tokens",
            "--job {params.job:q} --records {params.records:q} --ledger {output.ledger:q} --counts {output.counts:q}"
            " --sizes {output.sizes:q}",
            python="$MODEL_PYTHON",
        )


if SAMPLING:

    rule resolve_sampling:
        input:
            [f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.all_tasks],
        output:
            SAMPLING,
        log:
            log_of("resolve_sampling"),
        benchmark:
            benchmark_of("resolve_sampling")
        priority: 10000
        conda:
            "../envs/evaluate.yaml"
        params:
            job=lambda w: as_json(sampling_job(EXPERIMENT)),
            records=EXPERIMENT.folder / "records",
        shell:
            program(
                "planning resolve_sampling", "--job {params.job:q} --records {params.records:q} --output {output:q}"
            )


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
        log_of("plan"),
    benchmark:
        benchmark_of("plan")
    priority: 10000
    conda:
        "../envs/evaluate.yaml"
    resources:
        trainings=ALL_TRAININGS,
    params:
        config=whole_config,
        records=EXPERIMENT.folder / "records",
    shell:
        program(
            "planning plan",
            "--config {params.config:q} --records {params.records:q} --ledger {input.ledger:q}"
            " --counts {input.counts:q} --sizes {input.sizes:q} --sampling {input.sampling:q} --output {output:q}",
        )
