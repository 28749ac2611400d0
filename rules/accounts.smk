# What a report shows beside figures: each training, tables as pages, what it all took, and where it comes from.

from importlib.metadata import version

# table -> its category in the report; snakemake sorts categories by name.
PREPARATION_PAGES = {
    "data_report": "1 Plan",
    "plan": "1 Plan",
    "token_ledger": "1 Plan",
    "validation_matrix": "3 Validation matrix",
    "weights": "6 Weights",
}
PREPARATION_PAGES |= {"templates": "1 Plan", "instruction_ledger": "1 Plan"} if LEARNS_INSTRUCTIONS else {}
PAGES = {"benchmark": "7 Benchmark"}
PAGES |= {"cost_runs": "8 Cost", "cost_jobs": "8 Cost", "provenance": "9 Versions"} if TRAINED else {}
PAGES |= {"zero_shot": "7 Benchmark"} if ZERO_SHOT else {}
TRAINED_FOR_TEST = [run for run in [*SINGLE, *FINAL] if run in TRAINED]
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


rule plot_runs:
    input:
        [f"<results>/runs/{run}/model" for run in PREPARATION],
    output:
        run_figures(PREPARATION),
    log:
        "<results>/logs/plot_runs.log",
    benchmark:
        "<results>/benchmarks/plot_runs.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=2000,
        runtime=10,
    params:
        histories=histories,
        folder=EXPERIMENT.folder / "figures" / "training",
        tasks=list(EXPERIMENT.all_tasks),
    shell:
        "python $SCRIPTS/plot_runs.py --runs {params.histories:q} --tasks {params.tasks:q}"
        " --folder {params.folder:q} > {log:q} 2>&1"


use rule plot_runs as plot_final_runs with:
    input:
        [f"<results>/runs/{run}/model" for run in TRAINED_FOR_TEST],
    output:
        run_figures(TRAINED_FOR_TEST),
    log:
        "<results>/logs/plot_final_runs.log",
    benchmark:
        "<results>/benchmarks/plot_final_runs.tsv"


rule show_tables:
    input:
        [f"<results>/{name}.tsv" for name in PREPARATION_PAGES],
    output:
        table_pages(PREPARATION_PAGES),
    log:
        "<results>/logs/show_tables.log",
    benchmark:
        "<results>/benchmarks/show_tables.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        folder=EXPERIMENT.folder / "tables",
    shell:
        "python $SCRIPTS/show_tables.py --tables {input:q} --folder {params.folder:q} > {log:q} 2>&1"


use rule show_tables as show_final_tables with:
    input:
        [f"<results>/{name}.tsv" for name in PAGES],
    output:
        table_pages(PAGES),
    log:
        "<results>/logs/show_final_tables.log",
    benchmark:
        "<results>/benchmarks/show_final_tables.tsv"


# Last of all, when the jobs that it tells of have run.
rule collect_cost:
    input:
        plan="<results>/plan.tsv",
        models=[f"<results>/runs/{run.name}/model" for run in EXPERIMENT.trained_runs],
        scores=scored(EVALUATIONS),
    output:
        runs="<results>/cost_runs.tsv",
        jobs="<results>/cost_jobs.tsv",
    log:
        "<results>/logs/collect_cost.log",
    benchmark:
        "<results>/benchmarks/collect_cost.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        benchmarks=EXPERIMENT.folder / "benchmarks",
        histories=lambda w, input: histories(w, input.models),
        options=options(
            gpus=[
                f"{run.name}={EXPERIMENT.resources(run.name).gpus * EXPERIMENT.resources(run.name).nodes}"
                for run in EXPERIMENT.trained_runs
            ]
        ),
    shell:
        "python $SCRIPTS/collect_cost.py --plan {input.plan:q} --benchmarks {params.benchmarks:q}"
        " --runs {params.histories:q} {params.options}"
        " --run-table {output.runs:q} --job-table {output.jobs:q} > {log:q} 2>&1"


rule plot_cost:
    input:
        "<results>/cost_runs.tsv",
    output:
        figure("cost", "8 Cost"),
        "<results>/figures/cost.png",
    log:
        "<results>/logs/plot_cost.log",
    benchmark:
        "<results>/benchmarks/plot_cost.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python $SCRIPTS/plot_cost.py --cost {input:q} --output {output:q} > {log:q} 2>&1"


# By the interpreter that trains, whose versions are the ones to know.
rule collect_provenance:
    input:
        mixtures=[f"<results>/mixtures/{run.name}.arrow" for run in EXPERIMENT.trained_runs],
        models=[f"<results>/runs/{run.name}/model" for run in EXPERIMENT.trained_runs],
    output:
        json="<results>/provenance.json",
        table="<results>/provenance.tsv",
    log:
        "<results>/logs/collect_provenance.log",
    benchmark:
        "<results>/benchmarks/collect_provenance.tsv"
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=1000,
        runtime=60,
    params:
        experiment=EXPERIMENT.name,
        config=lambda w: json.dumps(config, separators=(",", ":")),
        runs=EXPERIMENT.folder / "runs",
        options=options(program=pairs({"snakemake": version("snakemake")})),
    shell:
        "$MODEL_PYTHON $SCRIPTS/collect_provenance.py --experiment {params.experiment:q} --config {params.config:q}"
        " --source $SCRIPTS --mixtures {input.mixtures:q} --runs {params.runs:q} {params.options}"
        " --json {output.json:q} --table {output.table:q} > {log:q} 2>&1"
