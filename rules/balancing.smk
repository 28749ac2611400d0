# Scores to weights: the validation matrix, then contributions, difficulties and lambda. Before that, where a precision is
# asked for, how many samples all runs answer; and on request, which tasks could be balanced as one.

from visatb.experiment.jobs.balancing import grouping_job, matrix_job, sizes_job, weights_job

BY_CONTRIBUTIONS = EXPERIMENT.config.grouping.by == "contributions"


if EXPERIMENT.config.evaluation.precision:

    rule plan_evaluation:
        input:
            scores=scored(EXPERIMENT.measured_by("visatb"), "<results>/pilot"),
            records=[f"<results>/records/{task}/val.parquet" for task in EXPERIMENT.tasks],
        output:
            "<results>/evaluation_sizes.tsv",
        log:
            log_of("plan_evaluation"),
        benchmark:
            benchmark_of("plan_evaluation")
        priority: 50
        conda:
            "../envs/evaluate.yaml"
        params:
            job=as_json(sizes_job(EXPERIMENT)),
            scores=EXPERIMENT.folder / "pilot" / "scores",
            records=pairs({task: EXPERIMENT.folder / "records" / task / "val.parquet" for task in EXPERIMENT.tasks}),
        shell:
            program(
                "balancing plan_evaluation",
                "--job {params.job:q} --scores {params.scores:q} --records {params.records:q} --output {output:q}",
            )


rule collect_validation_matrix:
    input:
        scored(EXPERIMENT.evaluations("val")),
    output:
        matrix="<results>/validation_matrix.tsv",
        tidy="<results>/validation_scores.tsv",
    log:
        log_of("collect_validation_matrix"),
    benchmark:
        benchmark_of("collect_validation_matrix")
    priority: 50
    conda:
        "../envs/evaluate.yaml"
    params:
        job=as_json(matrix_job(EXPERIMENT)),
        scores=EXPERIMENT.folder / "scores",
    shell:
        program(
            "balancing collect_validation_matrix",
            "--job {params.job:q} --scores {params.scores:q} --matrix {output.matrix:q} --tidy {output.tidy:q}",
        )


rule compute_weights:
    input:
        scored(EXPERIMENT.measured_by("visatb")),
    output:
        weights="<results>/weights.tsv",
        contributions="<results>/contributions.tsv",
        contributions_intervals="<results>/contributions_intervals.tsv",
        difficulty="<results>/difficulty.tsv",
        comparison="<results>/weights_comparison.tsv",
        replicates="<results>/replicates.parquet",
        balancing="<results>/balancing.json",
    log:
        log_of("compute_weights"),
    benchmark:
        benchmark_of("compute_weights")
    priority: 50
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=8000,
    params:
        job=as_json(weights_job(EXPERIMENT, "visatb")),
        scores=EXPERIMENT.folder / "scores",
        folder=subpath(output.weights, parent=True),
    shell:
        program(
            "balancing compute_weights",
            "--job {params.job:q} --scores {params.scores:q} --output {params.folder:q}",
        )


if EXPERIMENT.config.variants:

    use rule compute_weights as compute_variant with:
        input:
            lambda w: scored(EXPERIMENT.measured_by(w.variant)),
        output:
            weights="<results>/variants/{variant}/weights.tsv",
            contributions="<results>/variants/{variant}/contributions.tsv",
            contributions_intervals="<results>/variants/{variant}/contributions_intervals.tsv",
            difficulty="<results>/variants/{variant}/difficulty.tsv",
            comparison="<results>/variants/{variant}/weights_comparison.tsv",
            replicates="<results>/variants/{variant}/replicates.parquet",
            balancing="<results>/variants/{variant}/balancing.json",
        log:
            log_of("compute_variant/{variant}"),
        benchmark:
            benchmark_of("compute_variant/{variant}")
        params:
            job=lambda w: as_json(weights_job(EXPERIMENT, w.variant)),
            scores=EXPERIMENT.folder / "scores",
            folder=subpath(output.weights, parent=True),


# A proposal on request: the jobs of an experiment never depend on it, unless its config names the file that this writes.
rule propose_groups:
    input:
        contributions="<results>/contributions.tsv" if BY_CONTRIBUTIONS else [],
        balancing="<results>/balancing.json" if BY_CONTRIBUTIONS else [],
        records=[] if BY_CONTRIBUTIONS else [f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.tasks],
        sampling=SAMPLING,
    output:
        groups="<results>/groups.yaml",
        table="<results>/groups.tsv",
        figure=[f"<results>/figures/groups.{kind}" for kind in ("svg", "png")],
    log:
        log_of("propose_groups"),
    benchmark:
        benchmark_of("propose_groups")
    conda:
        "../envs/report.yaml"
    params:
        job=as_json(grouping_job(EXPERIMENT)),
        records=[] if BY_CONTRIBUTIONS else EXPERIMENT.folder / "records",
    shell:
        program(
            "balancing propose_groups",
            "--job {params.job:q} --contributions {input.contributions:q} --balancing {input.balancing:q}"
            " --records {params.records:q} --sampling {input.sampling:q}"
            " --groups {output.groups:q} --table {output.table:q} --figure {output.figure:q}",
        )
