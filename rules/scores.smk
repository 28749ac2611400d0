# Scores: those that are there already, the benchmark table, and `snakemake compare`.

from visatb.experiment.jobs.scores import benchmark_job, comparison_job, imported_scores_job, kept_job

if REUSE.scores:

    ruleorder: import_scores > score_alone

    rule import_scores:
        input:
            records="<results>/records/{task}/{split}.parquet",
            samples=lambda w: [score.samples for score in imported(w) if score.samples],
        output:
            "<results>/scores/{run}/{split}/{task}.parquet",
        log:
            log_of("import_scores/{run}.{split}.{task}"),
        benchmark:
            benchmark_of("import_scores/{run}.{split}.{task}")
        wildcard_constraints:
            run=evaluation_of(REUSE.scores),
        priority: 45
        conda:
            "../envs/evaluate.yaml"
        params:
            job=lambda w: as_json(imported_scores_job(EXPERIMENT, w.run, w.split, w.task)),
            samples=lambda w: pairs({score.metric: score.samples for score in imported(w) if score.samples}),
        shell:
            program(
                "scores import_scores",
                "--job {params.job:q} --samples {params.samples:q} --records {input.records:q} --output {output:q}",
            )


if KEPT.scores:

    ruleorder: keep_scores > score_alone

    rule keep_scores:
        input:
            scores=lambda w: KEPT.scores[w.run, w.split, w.task],
            records="<results>/records/{task}/{split}.parquet",
        output:
            "<results>/scores/{run}/{split}/{task}.parquet",
        log:
            log_of("keep_scores/{run}.{split}.{task}"),
        benchmark:
            benchmark_of("keep_scores/{run}.{split}.{task}")
        wildcard_constraints:
            run=evaluation_of(KEPT.scores),
        priority: 45
        conda:
            "../envs/evaluate.yaml"
        params:
            job=lambda w: as_json(kept_job(EXPERIMENT, w.task)),
        shell:
            program(
                "scores keep_scores",
                "--job {params.job:q} --scores {input.scores:q} --records {input.records:q} --output {output:q}",
            )


if KEPT.extrapolated:

    ruleorder: complete_scores > score_alone

    rule complete_scores:
        input:
            mini="<results>/scores/mini/{split}/{task}.parquet",
            before_mini="<results>/scores/before-mini/{split}/{task}.parquet",
            before_plus="<results>/scores/before-{run}/{split}/{task}.parquet",
        output:
            "<results>/scores/{run}/{split}/{task}.parquet",
        log:
            log_of("complete_scores/{run}.{split}.{task}"),
        benchmark:
            benchmark_of("complete_scores/{run}.{split}.{task}")
        wildcard_constraints:
            run=evaluation_of(sorted(KEPT.extrapolated)),
        priority: 45
        conda:
            "../envs/evaluate.yaml"
        shell:
            program(
                "scores complete_scores",
                "--task {wildcards.task:q} --mini {input.mini:q} --before-mini {input.before_mini:q}"
                " --before-plus {input.before_plus:q} --output {output:q}",
            )


rule collect_benchmark:
    input:
        scored(EXPERIMENT.evaluations("test")),
        zero_shot="<results>/zero_shot.tsv" if ZERO_SHOT else [],
    output:
        table="<results>/benchmark.tsv",
        tidy="<results>/test_scores.tsv",
        intervals="<results>/benchmark_intervals.tsv",
    log:
        log_of("collect_benchmark"),
    benchmark:
        benchmark_of("collect_benchmark")
    priority: 50
    conda:
        "../envs/evaluate.yaml"
    params:
        job=as_json(benchmark_job(EXPERIMENT)),
        scores=EXPERIMENT.folder / "scores",
    shell:
        program(
            "scores collect_benchmark",
            "--job {params.job:q} --scores {params.scores:q} --zero-shot {input.zero_shot:q}"
            " --table {output.table:q} --tidy {output.tidy:q} --intervals {output.intervals:q}",
        )


if EXPERIMENT.config.compare_with:

    rule compare_experiments:
        input:
            [
                str(EXPERIMENT.folder.parent / name / table)
                for name in comparison_job(EXPERIMENT).experiments
                for table in ("benchmark.tsv", "test_scores.tsv")
            ],
        output:
            table="<results>/comparison.tsv",
            markdown="<results>/comparison.md",
        log:
            log_of("compare_experiments"),
        benchmark:
            benchmark_of("compare_experiments")
        conda:
            "../envs/evaluate.yaml"
        params:
            job=as_json(comparison_job(EXPERIMENT)),
            results=EXPERIMENT.folder.parent,
        shell:
            program(
                "scores compare_experiments",
                "--job {params.job:q} --results {params.results:q} --table {output.table:q} --markdown {output.markdown:q}",
            )

    rule compare:
        input:
            "<results>/comparison.tsv",
            "<results>/comparison.md",
