# What people read: figures, tables as papers print them, the explorer, the summary, and weights for other programs.

from visatb.reporting.jobs import (
    balancing_figures_job,
    benchmark_figures_job,
    benchmark_table_job,
    data_table_job,
    explorer_job,
    export_job,
    training_figures_job,
    visual_contribution_figure_job,
)

VARIANT_WEIGHTS = [f"<results>/variants/{name}/weights.tsv" for name in EXPERIMENT.config.variants]
PREPARATION_TABLES = [f"<results>/{name}.{kind}" for name in ("data", "weights") for kind in ("md", "tex")]
TABLES = PREPARATION_TABLES + [f"<results>/benchmark.{kind}" for kind in ("md", "tex")]
# figure -> its category in the report
BALANCING_FIGURES = {
    "contributions": Category.CONTRIBUTIONS,
    "difficulty": Category.DIFFICULTY,
    "data_amount": Category.DIFFICULTY,
    "weights": Category.WEIGHTS,
    **({"variants": Category.WEIGHTS} if VARIANT_WEIGHTS else {}),
}
BENCHMARK_FIGURES = {"benchmark": Category.BENCHMARK, "radar": Category.BENCHMARK}
PREPARATION_FIGURES = [f"<results>/figures/{name}.{kind}" for name in BALANCING_FIGURES for kind in ("svg", "png")]
FIGURES = PREPARATION_FIGURES + [
    f"<results>/figures/{name}.{kind}"
    for name in (*(["training"] if TRAINED else []), *BENCHMARK_FIGURES)
    for kind in ("svg", "png")
]
TRAINED_FOR_TEST = [run for run in [*SINGLE, *FINAL] if run in TRAINED]


rule plot_balancing:
    input:
        contributions="<results>/contributions.tsv",
        intervals="<results>/contributions_intervals.tsv",
        difficulty="<results>/difficulty.tsv",
        weights="<results>/weights.tsv",
        balancing="<results>/balancing.json",
        scores="<results>/validation_scores.tsv",
        mixtures=[f"<results>/mixtures/{run.name}.arrow" for run in EXPERIMENT.preparation_runs if run.is_trained],
        variants=VARIANT_WEIGHTS,
    output:
        figures(BALANCING_FIGURES),
    log:
        log_of("plot_balancing"),
    benchmark:
        benchmark_of("plot_balancing")
    conda:
        "../envs/report.yaml"
    params:
        job=lambda w: as_json(balancing_figures_job(EXPERIMENT)),
        folder=EXPERIMENT.folder / "figures",
    shell:
        program(
            "reporting plot_balancing",
            "--job {params.job:q} --contributions {input.contributions:q} --intervals {input.intervals:q}"
            " --difficulty {input.difficulty:q} --weights {input.weights:q} --balancing {input.balancing:q}"
            " --scores {input.scores:q} --mixtures {input.mixtures:q} --variants {input.variants:q}"
            " --folder {params.folder:q}",
        )


rule plot_runs:
    input:
        [f"<results>/runs/{run}/model" for run in PREPARATION],
    output:
        run_figures(PREPARATION),
    log:
        log_of("plot_runs"),
    benchmark:
        benchmark_of("plot_runs")
    conda:
        "../envs/report.yaml"
    params:
        job=lambda w: as_json(training_figures_job(EXPERIMENT)),
        folder=EXPERIMENT.folder / "figures" / "training",
    shell:
        program("reporting plot_runs", "--job {params.job:q} --models {input:q} --folder {params.folder:q}")


rule plot_training:
    input:
        models=[f"<results>/runs/{run.name}/model" for run in EXPERIMENT.trained_runs],
        final=[f"<results>/runs/{run}/model" for run in TRAINED_FOR_TEST],
    output:
        figure("training", Category.TRAINING, "all runs"),
        "<results>/figures/training.png",
        run_figures(TRAINED_FOR_TEST),
    log:
        log_of("plot_training"),
    benchmark:
        benchmark_of("plot_training")
    conda:
        "../envs/report.yaml"
    params:
        job=lambda w: as_json(training_figures_job(EXPERIMENT)),
        folder=EXPERIMENT.folder / "figures",
    shell:
        program(
            "reporting plot_training",
            "--job {params.job:q} --models {input.models:q} --own {input.final:q} --folder {params.folder:q}",
        )


rule plot_benchmark:
    input:
        "<results>/benchmark.tsv",
    output:
        figures(BENCHMARK_FIGURES),
    log:
        log_of("plot_benchmark"),
    benchmark:
        benchmark_of("plot_benchmark")
    conda:
        "../envs/report.yaml"
    params:
        job=lambda w: as_json(benchmark_figures_job(EXPERIMENT)),
        folder=EXPERIMENT.folder / "figures",
    shell:
        program("reporting plot_benchmark", "--job {params.job:q} --benchmark {input:q} --folder {params.folder:q}")


# Apart from the benchmark's table, to be read before the final trainings are paid for.
rule typeset_preparation:
    input:
        data_report="<results>/data_report.tsv",
        weights="<results>/weights.tsv",
    output:
        data=["<results>/data.md", "<results>/data.tex"],
        weights=["<results>/weights.md", "<results>/weights.tex"],
    log:
        log_of("typeset_preparation"),
    benchmark:
        benchmark_of("typeset_preparation")
    conda:
        "../envs/report.yaml"
    params:
        job=lambda w: as_json(data_table_job(EXPERIMENT)),
    shell:
        program(
            "reporting typeset_preparation",
            "--job {params.job:q} --data-report {input.data_report:q} --weights {input.weights:q}"
            " --data-table {output.data:q} --weights-table {output.weights:q}",
        )


rule typeset_benchmark:
    input:
        "<results>/benchmark.tsv",
    output:
        "<results>/benchmark.md",
        "<results>/benchmark.tex",
    log:
        log_of("typeset_benchmark"),
    benchmark:
        benchmark_of("typeset_benchmark")
    conda:
        "../envs/report.yaml"
    params:
        job=lambda w: as_json(benchmark_table_job(EXPERIMENT)),
    shell:
        program("reporting typeset_benchmark", "--job {params.job:q} --benchmark {input:q} --output {output:q}")


rule summarize:
    input:
        weights="<results>/weights.tsv",
        comparison="<results>/weights_comparison.tsv",
        balancing="<results>/balancing.json",
        variants=VARIANT_WEIGHTS,
        benchmark="<results>/benchmark.tsv",
        intervals="<results>/benchmark_intervals.tsv",
        scores=["<results>/validation_scores.tsv", "<results>/test_scores.tsv"],
    output:
        "<results>/summary.txt",
    log:
        log_of("summarize"),
    benchmark:
        benchmark_of("summarize")
    conda:
        "../envs/report.yaml"
    params:
        see=[
            str(EXPERIMENT.folder / name)
            for name in (
                "weights.tsv",
                "benchmark.md",
                *(["zero_shot.md"] if ZERO_SHOT else []),
                "explorer.html",
                "figures",
            )
        ],
    shell:
        program(
            "reporting summarize",
            "--weights {input.weights:q} --comparison {input.comparison:q} --balancing {input.balancing:q}"
            " --variants {input.variants:q} --benchmark {input.benchmark:q} --intervals {input.intervals:q}"
            " --scores {input.scores:q} --see {params.see:q} --output {output:q}",
        )


# The page that answers "what if": other temperatures, shares and groups.
rule build_explorer:
    input:
        scored(EXPERIMENT.measured_by("visatb")),
    output:
        reported("<results>/explorer.html", Category.WEIGHTS, "explorer", "explorer: what if?"),
    log:
        log_of("build_explorer"),
    benchmark:
        benchmark_of("build_explorer")
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=8000,
    params:
        job=lambda w: as_json(explorer_job(EXPERIMENT)),
        scores=EXPERIMENT.folder / "scores",
    shell:
        program("reporting build_explorer", "--job {params.job:q} --scores {params.scores:q} --output {output:q}")


# The weights as files of other training programs. Nothing else needs them: `snakemake export` makes them.
EXPORTED = [
    f"<results>/export/{name}"
    for name in (
        "weights.json",
        "weights.csv",
        "llamafactory/dataset_info.json",
        "llamafactory/train.yaml",
        "trl.yaml",
        "llava_next.yaml",
        "ms_swift/sampling.yaml",
        "ms_swift/loss_scale.yaml",
        "ms_swift/plugin.py",
    )
]
EXPORTED += [f"<results>/export/{kind}/{task}.jsonl" for kind in ("data", "messages") for task in EXPERIMENT.all_tasks]


rule export_weights:
    input:
        weights="<results>/weights.tsv",
        records=[f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.all_tasks],
    output:
        EXPORTED,
    log:
        log_of("export_weights"),
    benchmark:
        benchmark_of("export_weights")
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=8000,
    params:
        job=lambda w: as_json(export_job(EXPERIMENT)),
        records=EXPERIMENT.folder / "records",
        folder=EXPERIMENT.folder / "export",
    shell:
        program(
            "reporting export_weights",
            "--job {params.job:q} --weights {input.weights:q} --records {params.records:q} --output {params.folder:q}",
        )


rule export:
    input:
        EXPORTED,


if VISUAL_CONTRIBUTION:

    rule plot_visual_contribution:
        input:
            [f"<results>/visual_contribution/{run}" for run in CONTRIBUTING],
        output:
            figure("visual_contribution", Category.BENCHMARK),
            "<results>/figures/visual_contribution.png",
        log:
            log_of("plot_visual_contribution"),
        benchmark:
            benchmark_of("plot_visual_contribution")
        conda:
            "../envs/report.yaml"
        params:
            job=lambda w: as_json(visual_contribution_figure_job(EXPERIMENT)),
            samples=EXPERIMENT.folder / "visual_contribution",
        shell:
            program(
                "reporting plot_visual_contribution",
                "--job {params.job:q} --samples {params.samples:q} --output {output:q}",
            )
