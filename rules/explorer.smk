# The page that answers "what if": other temperatures, shares and groups.


rule build_explorer:
    input:
        scored(EXPERIMENT.measured_by("visatb")),
    output:
        reported("<results>/explorer.html", "6 Weights", "explorer", "explorer: what if?"),
    log:
        "<results>/logs/build_explorer.log",
    benchmark:
        "<results>/benchmarks/build_explorer.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        scores=EXPERIMENT.folder / "scores",
        experiment=EXPERIMENT.name,
        options=weights_options("visatb"),
    shell:
        "python $SCRIPTS/build_explorer.py --scores {params.scores:q} {params.options}"
        " --experiment {params.experiment:q} --output {output:q} > {log:q} 2>&1"
