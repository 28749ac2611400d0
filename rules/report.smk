# Scores on the test splits to the benchmark table.


rule collect_benchmark:
    input:
        scored(EXPERIMENT.evaluations("test")),
        zero_shot="<results>/zero_shot.tsv" if ZERO_SHOT else [],
    output:
        table="<results>/benchmark.tsv",
        tidy="<results>/test_scores.tsv",
        intervals="<results>/benchmark_intervals.tsv",
    log:
        "<results>/logs/collect_benchmark.log",
    benchmark:
        "<results>/benchmarks/collect_benchmark.tsv"
    priority: 50
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        scores=EXPERIMENT.folder / "scores",
        options=options(
            method=EXPERIMENT.config.methods,
            column=COLUMNS,
            bootstrap=EXPERIMENT.config.balancing.bootstrap,
            seed=EXPERIMENT.config.seed,
        ),
    shell:
        "python $SCRIPTS/collect_benchmark.py --scores {params.scores:q} {params.options}"
        " --zero-shot {input.zero_shot:q}"
        " --table {output.table:q} --tidy {output.tidy:q} --intervals {output.intervals:q} > {log:q} 2>&1"
