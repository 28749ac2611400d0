# This experiment and others, named by compare_with, in one table: `snakemake compare`.

COMPARED = [*EXPERIMENT.config.compare_with, EXPERIMENT.name]

if EXPERIMENT.config.compare_with:

    rule compare_experiments:
        input:
            [
                str(EXPERIMENT.folder.parent / name / table)
                for name in COMPARED
                for table in ("benchmark.tsv", "test_scores.tsv")
            ],
        output:
            table="<results>/comparison.tsv",
            markdown="<results>/comparison.md",
        log:
            "<results>/logs/compare_experiments.log",
        benchmark:
            "<results>/benchmarks/compare_experiments.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=1000,
            runtime=10,
        params:
            results=EXPERIMENT.folder.parent,
            options=options(experiment=COMPARED, column=COLUMNS),
        shell:
            "python $SCRIPTS/compare_experiments.py --results {params.results:q} {params.options}"
            " --table {output.table:q} --markdown {output.markdown:q} > {log:q} 2>&1"

    rule compare:
        input:
            "<results>/comparison.tsv",
            "<results>/comparison.md",
