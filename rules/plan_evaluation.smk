# Where a precision is asked for: how many samples all runs that measure answer, after a pilot of each.

if EXPERIMENT.config.evaluation.precision:

    rule plan_evaluation:
        input:
            scores=scored(EXPERIMENT.measured_by("visatb"), "<results>/pilot"),
            records=[f"<results>/records/{task}/val.parquet" for task in EXPERIMENT.tasks],
        output:
            "<results>/evaluation_sizes.tsv",
        log:
            "<results>/logs/plan_evaluation.log",
        benchmark:
            "<results>/benchmarks/plan_evaluation.tsv"
        priority: 50
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=4000,
            runtime=30,
        params:
            scores=EXPERIMENT.folder / "pilot" / "scores",
            records=pairs({task: EXPERIMENT.folder / "records" / task / "val.parquet" for task in EXPERIMENT.tasks}),
            options=options(
                column=COLUMNS,
                group=GROUPS,
                **vars(EXPERIMENT.balance_settings("visatb")),
                precision=EXPERIMENT.config.evaluation.precision,
                round_to=EXPERIMENT.config.evaluation.shard_size,
            ),
        shell:
            "python $SCRIPTS/plan_evaluation.py --scores {params.scores:q} --records {params.records:q} {params.options}"
            " --output {output:q} > {log:q} 2>&1"
