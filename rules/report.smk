# What people read: figures and the summary.

VARIANTS = list(EXPERIMENT.config.variants)
INSTRUCTIONS = pairs({task: source.instruction for task, source in EXPERIMENT.sources.items() if source.instruction})
PREPARATION_TABLES = [f"<results>/{name}.{kind}" for name in ("data", "weights") for kind in ("md", "tex")]
TABLES = PREPARATION_TABLES + [f"<results>/benchmark.{kind}" for kind in ("md", "tex")]
PREPARATION_FIGURES = [
    f"<results>/figures/{name}.{kind}"
    for name in ("contributions", "difficulty", "data_amount", "weights")
    for kind in ("svg", "png")
]
PREPARATION_FIGURES += [f"<results>/figures/variants.{kind}" for kind in ("svg", "png") if VARIANTS]
FIGURES = PREPARATION_FIGURES + [
    f"<results>/figures/{name}.{kind}"
    for name in (*(["training"] if TRAINED else []), "benchmark", "radar")
    for kind in ("svg", "png")
]


rule plot_contributions:
    input:
        contributions="<results>/contributions.tsv",
        intervals="<results>/contributions_intervals.tsv",
        balancing="<results>/balancing.json",
        weights="<results>/weights.tsv",
    output:
        figure("contributions", "4 Contributions"),
        "<results>/figures/contributions.png",
    log:
        "<results>/logs/plot_contributions.log",
    benchmark:
        "<results>/benchmarks/plot_contributions.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        remarks=options(remark=REMARKS),
    shell:
        "python $SCRIPTS/plot_contributions.py --contributions {input.contributions:q}"
        " --intervals {input.intervals:q} --weights {input.weights:q} --balancing {input.balancing:q} {params.remarks} --output {output:q} > {log:q} 2>&1"


rule plot_difficulty:
    input:
        "<results>/difficulty.tsv",
    output:
        figure("difficulty", "5 Difficulty"),
        "<results>/figures/difficulty.png",
    log:
        "<results>/logs/plot_difficulty.log",
    benchmark:
        "<results>/benchmarks/plot_difficulty.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        remarks=options(remark=REMARKS),
    shell:
        "python $SCRIPTS/plot_difficulty.py --difficulty {input:q} {params.remarks} --output {output:q} > {log:q} 2>&1"


rule plot_data_amount:
    input:
        scores="<results>/validation_scores.tsv",
        mixtures=[f"<results>/mixtures/{run.name}.arrow" for run in EXPERIMENT.preparation_runs if run.is_trained],
    output:
        figure("data_amount", "5 Difficulty"),
        "<results>/figures/data_amount.png",
    log:
        "<results>/logs/plot_data_amount.log",
    benchmark:
        "<results>/benchmarks/plot_data_amount.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    shell:
        "python $SCRIPTS/plot_data_amount.py --scores {input.scores:q} --mixtures {input.mixtures:q}"
        " --output {output:q} > {log:q} 2>&1"


rule plot_weights:
    input:
        "<results>/weights.tsv",
    output:
        figure("weights", "6 Weights"),
        "<results>/figures/weights.png",
    log:
        "<results>/logs/plot_weights.log",
    benchmark:
        "<results>/benchmarks/plot_weights.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        remarks=options(remark=REMARKS),
    shell:
        "python $SCRIPTS/plot_weights.py --weights {input:q} {params.remarks} --output {output:q} > {log:q} 2>&1"


if VARIANTS:

    rule plot_variants:
        input:
            "<results>/weights.tsv",
            [f"<results>/variants/{name}/weights.tsv" for name in VARIANTS],
        output:
            figure("variants", "6 Weights"),
            "<results>/figures/variants.png",
        log:
            "<results>/logs/plot_variants.log",
        benchmark:
            "<results>/benchmarks/plot_variants.tsv"
        conda:
            "../envs/report.yaml"
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            names=["visatb", *VARIANTS],
        shell:
            "python $SCRIPTS/plot_variants.py --names {params.names:q} --weights {input:q} --output {output:q} > {log:q} 2>&1"


rule plot_training:
    input:
        [f"<results>/runs/{run.name}/model" for run in EXPERIMENT.trained_runs],
    output:
        figure("training", "2 Training", "all runs"),
        "<results>/figures/training.png",
    log:
        "<results>/logs/plot_training.log",
    benchmark:
        "<results>/benchmarks/plot_training.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        histories=lambda w, input: [str(Path(model).with_name("training.jsonl")) for model in input],
    shell:
        "python $SCRIPTS/plot_training.py --runs {params.histories:q} --output {output:q} > {log:q} 2>&1"


rule plot_benchmark:
    input:
        "<results>/benchmark.tsv",
    output:
        figure("benchmark", "7 Benchmark"),
        "<results>/figures/benchmark.png",
    log:
        "<results>/logs/plot_benchmark.log",
    benchmark:
        "<results>/benchmarks/plot_benchmark.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        remarks=options(remark=REMARKS),
        columns=options(column=COLUMNS),
    shell:
        "python $SCRIPTS/plot_benchmark.py --benchmark {input:q} {params.columns} {params.remarks} --output {output:q} > {log:q} 2>&1"


rule plot_radar:
    input:
        "<results>/benchmark.tsv",
    output:
        figure("radar", "7 Benchmark"),
        "<results>/figures/radar.png",
    log:
        "<results>/logs/plot_radar.log",
    benchmark:
        "<results>/benchmarks/plot_radar.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        remarks=options(remark=REMARKS),
        columns=options(column=COLUMNS),
    shell:
        "python $SCRIPTS/plot_radar.py --benchmark {input:q} {params.columns} {params.remarks} --output {output:q} > {log:q} 2>&1"


rule summarize:
    input:
        weights="<results>/weights.tsv",
        comparison="<results>/weights_comparison.tsv",
        balancing="<results>/balancing.json",
        variants=[f"<results>/variants/{name}/weights.tsv" for name in VARIANTS],
        benchmark="<results>/benchmark.tsv",
        intervals="<results>/benchmark_intervals.tsv",
        scores=["<results>/validation_scores.tsv", "<results>/test_scores.tsv"],
    output:
        "<results>/summary.txt",
    log:
        "<results>/logs/summarize.log",
    benchmark:
        "<results>/benchmarks/summarize.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        see=lambda w, input: [
            str(Path(input.weights).with_name(name))
            for name in (
                "weights.tsv",
                "benchmark.md",
                *(["zero_shot.md"] if ZERO_SHOT else []),
                "explorer.html",
                "figures",
            )
        ],
        options=options(variant_names=VARIANTS),
    shell:
        "python $SCRIPTS/summarize.py --weights {input.weights:q} --comparison {input.comparison:q}"
        " {params.options} --variant-weights {input.variants:q}"
        " --balancing {input.balancing:q} --benchmark {input.benchmark:q}"
        " --benchmark-intervals {input.intervals:q} --scores {input.scores:q} --see {params.see:q} --output {output:q} > {log:q} 2>&1"
