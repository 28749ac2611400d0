# What a report shows beside figures: tables as pages, what it all took, and where it comes from; and how far it is.

from importlib.metadata import version

from visatb.reporting.jobs import cost_job

# table -> its category in the report
PREPARATION_PAGES = {
    "data_report": Category.PLAN,
    "plan": Category.PLAN,
    "token_ledger": Category.PLAN,
    "validation_matrix": Category.VALIDATION_MATRIX,
    "weights": Category.WEIGHTS,
}
PREPARATION_PAGES |= dict.fromkeys(["templates", "instruction_ledger"] if LEARNS_INSTRUCTIONS else [], Category.PLAN)
PAGES = {"benchmark": Category.BENCHMARK}
PAGES |= {"cost_runs": Category.COST, "cost_jobs": Category.COST, "provenance": Category.VERSIONS} if TRAINED else {}
PAGES |= {"zero_shot": Category.BENCHMARK} if ZERO_SHOT else {}
PREPARATION_ACCOUNTS = [
    *[f"<results>/tables/{name}.html" for name in PREPARATION_PAGES],
    *[f"<results>/figures/training/{run}.svg" for run in PREPARATION],
]
ACCOUNTS = [
    *PREPARATION_ACCOUNTS,
    *[f"<results>/tables/{name}.html" for name in PAGES],
    *[f"<results>/figures/training/{run.name}.svg" for run in EXPERIMENT.trained_runs],
    *([f"<results>/figures/cost.{kind}" for kind in ("svg", "png")] if TRAINED else []),
    *(["<results>/provenance.json"] if TRAINED else []),
]


rule show_tables:
    input:
        [f"<results>/{name}.tsv" for name in PREPARATION_PAGES],
    output:
        table_pages(PREPARATION_PAGES),
    log:
        log_of("show_tables"),
    benchmark:
        benchmark_of("show_tables")
    conda:
        "../envs/report.yaml"
    params:
        folder=EXPERIMENT.folder / "tables",
    shell:
        program("reporting show_tables", "--tables {input:q} --folder {params.folder:q}")


use rule show_tables as show_final_tables with:
    input:
        [f"<results>/{name}.tsv" for name in PAGES],
    output:
        table_pages(PAGES),
    log:
        log_of("show_final_tables"),
    benchmark:
        benchmark_of("show_final_tables")


# Last of all, when the jobs that it tells of have run.
rule collect_cost:
    input:
        plan="<results>/plan.tsv",
        models=[f"<results>/runs/{run.name}/model" for run in EXPERIMENT.trained_runs],
        scores=scored(EVALUATIONS),
    output:
        runs="<results>/cost_runs.tsv",
        jobs="<results>/cost_jobs.tsv",
        figure=[figure("cost", Category.COST), "<results>/figures/cost.png"],
    log:
        log_of("collect_cost"),
    benchmark:
        benchmark_of("collect_cost")
    conda:
        "../envs/report.yaml"
    params:
        job=lambda w: as_json(cost_job(EXPERIMENT)),
        benchmarks=EXPERIMENT.folder / "benchmarks",
    shell:
        program(
            "reporting collect_cost",
            "--job {params.job:q} --plan {input.plan:q} --benchmarks {params.benchmarks:q} --models {input.models:q}"
            " --runs {output.runs:q} --jobs {output.jobs:q} --figure {output.figure:q}",
        )


# By the interpreter that trains, whose versions are the ones to know.
rule collect_provenance:
    input:
        mixtures=[f"<results>/mixtures/{run.name}.arrow" for run in EXPERIMENT.trained_runs],
        models=[f"<results>/runs/{run.name}/model" for run in EXPERIMENT.trained_runs],
    output:
        json="<results>/provenance.json",
        table="<results>/provenance.tsv",
    log:
        log_of("collect_provenance"),
    benchmark:
        benchmark_of("collect_provenance")
    conda:
        "../envs/train.yaml"
    params:
        name=EXPERIMENT.name,
        config=whole_config,
        runs=EXPERIMENT.folder / "runs",
        programs=pairs({"snakemake": version("snakemake")}),
    shell:
        program(
            "experiment collect_provenance",
            "--experiment {params.name:q} --config {params.config:q} --source $SCRIPTS --mixtures {input.mixtures:q} --runs {params.runs:q}"
            " --programs {params.programs:q} --output {output.json:q} --table {output.table:q}",
            python="$MODEL_PYTHON",
        )


# How far the experiment is. Works beside a Snakemake that runs it: see `onstart` in the Snakefile.
rule status:
    log:
        log_of("status"),
    conda:
        "../envs/evaluate.yaml"
    params:
        config=whole_config,
    shell:
        "python $SCRIPTS/experiment.py status --config {params.config:q} 2> {log:q}"
