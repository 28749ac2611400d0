# Scores to weights: the validation matrix, then contributions, difficulties and lambda.


rule collect_validation_matrix:
    input:
        scored(EXPERIMENT.evaluations("val")),
    output:
        matrix="<results>/validation_matrix.tsv",
        tidy="<results>/validation_scores.tsv",
    log:
        "<results>/logs/collect_validation_matrix.log",
    benchmark:
        "<results>/benchmarks/collect_validation_matrix.tsv"
    priority: 50
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        scores=EXPERIMENT.folder / "scores",
        options=options(
            column=COLUMNS,
            run=[
                f"{run.name}={','.join(run.evaluates['val'])}"
                for run in EXPERIMENT.preparation_runs
                if run.repetition == 0
            ],
            seeds=EXPERIMENT.config.balancing.seeds,
            mini_seeds=EXPERIMENT.config.balancing.mini_seeds,
        ),
    shell:
        "python $SCRIPTS/collect_validation_matrix.py --scores {params.scores:q} {params.options}"
        " --matrix {output.matrix:q} --tidy {output.tidy:q} > {log:q} 2>&1"


rule compute_weights:
    input:
        scored(EXPERIMENT.measured_by("visatb")),
    output:
        contributions="<results>/contributions.tsv",
        contributions_intervals="<results>/contributions_intervals.tsv",
        difficulty="<results>/difficulty.tsv",
        comparison="<results>/weights_comparison.tsv",
        replicates="<results>/replicates.parquet",
        balancing="<results>/balancing.json",
        weights="<results>/weights.tsv",
    log:
        "<results>/logs/compute_weights.log",
    benchmark:
        "<results>/benchmarks/compute_weights.tsv"
    priority: 50
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        scores=EXPERIMENT.folder / "scores",
        options=weights_options("visatb"),
    shell:
        "python $SCRIPTS/compute_weights.py --scores {params.scores:q} {params.options}"
        " --contributions-table {output.contributions:q}"
        " --contributions_intervals-table {output.contributions_intervals:q}"
        " --difficulty-table {output.difficulty:q} --weights-table {output.weights:q}"
        " --weights_comparison-table {output.comparison:q}"
        " --replicates {output.replicates:q} --balancing {output.balancing:q} > {log:q} 2>&1"


if EXPERIMENT.config.variants:

    use rule compute_weights as compute_variant with:
        input:
            lambda w: scored(EXPERIMENT.measured_by(w.variant)),
        output:
            contributions="<results>/variants/{variant}/contributions.tsv",
            contributions_intervals="<results>/variants/{variant}/contributions_intervals.tsv",
            difficulty="<results>/variants/{variant}/difficulty.tsv",
            comparison="<results>/variants/{variant}/weights_comparison.tsv",
            replicates="<results>/variants/{variant}/replicates.parquet",
            balancing="<results>/variants/{variant}/balancing.json",
            weights="<results>/variants/{variant}/weights.tsv",
        log:
            "<results>/logs/compute_variant/{variant}.log",
        benchmark:
            "<results>/benchmarks/compute_variant/{variant}.tsv"
        params:
            scores=EXPERIMENT.folder / "scores",
            options=lambda w: weights_options(w.variant),
