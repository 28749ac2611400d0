# The figure of evaluation.visual_contribution.

if VISUAL_CONTRIBUTION:

    rule plot_visual_contribution:
        input:
            [f"<results>/visual_contribution/{run}" for run in CONTRIBUTING],
        output:
            figure("visual_contribution", "7 Benchmark"),
            "<results>/figures/visual_contribution.png",
        log:
            "<results>/logs/plot_visual_contribution.log",
        benchmark:
            "<results>/benchmarks/plot_visual_contribution.tsv"
        conda:
            "../envs/report.yaml"
        resources:
            mem_mb=4000,
            runtime=30,
        params:
            samples=EXPERIMENT.folder / "visual_contribution",
            options=options(place=[f"{run}={task}" for run, tasks in CONTRIBUTING.items() for task in tasks]),
        shell:
            "python $SCRIPTS/plot_visual_contribution.py --samples {params.samples:q} {params.options}"
            " --output {output:q} > {log:q} 2>&1"
