# Scores to weights: the validation matrix, then contributions, difficulties and lambda.

BALANCING = EXPERIMENT.config.balancing
VALIDATION_SCORES = [
    f"<results>/scores/{run}/{split}/{task}.parquet" for run, split, task in EXPERIMENT.evaluations("val")
]
COLUMNS = [f"{task}:{metric}" for task, metric in EXPERIMENT.validation_columns]
BALANCED = options(
    column=COLUMNS,
    group=[f"{group}={','.join(tasks)}" for group, tasks in EXPERIMENT.groups.items()],
    difficulty=BALANCING.difficulty,
)


rule collect_validation_matrix:
    input:
        VALIDATION_SCORES,
    output:
        matrix=report(
            "<results>/validation_matrix.tsv",
            caption="../report/validation_matrix.rst",
            category="3 Scores",
        ),
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
        balanced=BALANCED,
    shell:
        "python $SCRIPTS/collect_validation_matrix.py --scores {params.scores:q} {params.balanced}"
        " --matrix {output.matrix:q} --tidy {output.tidy:q} > {log:q} 2>&1"


rule compute_weights:
    input:
        VALIDATION_SCORES,
    output:
        contributions="<results>/contributions.tsv",
        contributions_intervals="<results>/contributions_intervals.tsv",
        difficulty="<results>/difficulty.tsv",
        balancing="<results>/balancing.json",
        weights=report(
            "<results>/weights.tsv",
            caption="../report/weights.rst",
            category="4 Weights",
        ),
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
        balanced=BALANCED,
        options=options(
            temperature=BALANCING.temperature,
            alpha_out=BALANCING.alpha.out,
            alpha_in=BALANCING.alpha.in_,
            alpha_difficulty=BALANCING.alpha.difficulty,
            on_unlearned=BALANCING.on_unlearned,
            bootstrap=BALANCING.bootstrap,
            seed=EXPERIMENT.config.seed,
            fixed=pairs({task: fixed.weight for task, fixed in EXPERIMENT.config.fixed_tasks.items()}),
        ),
    shell:
        "python $SCRIPTS/compute_weights.py --scores {params.scores:q} {params.balanced} {params.options}"
        " --contributions-table {output.contributions:q}"
        " --contributions_intervals-table {output.contributions_intervals:q}"
        " --difficulty-table {output.difficulty:q} --weights-table {output.weights:q}"
        " --balancing {output.balancing:q} > {log:q} 2>&1"
