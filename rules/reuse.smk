# Scores that are there already take the place of evaluations.

if REUSE.scores:

    ruleorder: import_scores > score_alone

    rule import_scores:
        input:
            records="<results>/records/{task}/{split}.parquet",
            samples=lambda w: [score.samples for score in imported(w) if score.samples],
        output:
            "<results>/scores/{run}/{split}/{task}.parquet",
        log:
            "<results>/logs/import_scores/{run}.{split}.{task}.log",
        benchmark:
            "<results>/benchmarks/import_scores/{run}.{split}.{task}.tsv"
        wildcard_constraints:
            run=evaluation_of(REUSE.scores),
        priority: 45
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=4000,
            runtime=30,
        params:
            options=imported_options,
        shell:
            "python $SCRIPTS/import_scores.py {params.options} --records {input.records:q}"
            " --output {output:q} > {log:q} 2>&1"


if KEPT.scores:

    ruleorder: keep_scores > score_alone

    rule keep_scores:
        input:
            scores=lambda w: KEPT.scores[w.run, w.split, w.task],
            records="<results>/records/{task}/{split}.parquet",
        output:
            "<results>/scores/{run}/{split}/{task}.parquet",
        log:
            "<results>/logs/keep_scores/{run}.{split}.{task}.log",
        benchmark:
            "<results>/benchmarks/keep_scores/{run}.{split}.{task}.tsv"
        wildcard_constraints:
            run=evaluation_of(KEPT.scores),
        priority: 45
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=4000,
            runtime=30,
        params:
            options=lambda w: options(metrics=EXPERIMENT.tasks[w.task].metrics),
        shell:
            "python $SCRIPTS/keep_scores.py --scores {input.scores:q} {params.options} --records {input.records:q}"
            " --output {output:q} > {log:q} 2>&1"


if KEPT.completed:

    ruleorder: complete_scores > score_alone

    rule complete_scores:
        input:
            mini="<results>/scores/mini/{split}/{task}.parquet",
            before_mini="<results>/scores/before-mini/{split}/{task}.parquet",
            before_plus="<results>/scores/before-{run}/{split}/{task}.parquet",
        output:
            "<results>/scores/{run}/{split}/{task}.parquet",
        log:
            "<results>/logs/complete_scores/{run}.{split}.{task}.log",
        benchmark:
            "<results>/benchmarks/complete_scores/{run}.{split}.{task}.tsv"
        wildcard_constraints:
            run=evaluation_of(sorted(KEPT.completed)),
        priority: 45
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=4000,
            runtime=30,
        shell:
            "python $SCRIPTS/complete_scores.py --task {wildcards.task:q} --mini {input.mini:q}"
            " --before-mini {input.before_mini:q} --before-plus {input.before_plus:q}"
            " --output {output:q} > {log:q} 2>&1"
