# Which tasks could be balanced as one. A proposal on request: the jobs of an experiment never depend on it, unless its
# config names the file that this writes.

GROUPING = EXPERIMENT.config.grouping
BY_CONTRIBUTIONS = GROUPING.by == "contributions"


rule propose_groups:
    input:
        contributions="<results>/contributions.tsv" if BY_CONTRIBUTIONS else [],
        balancing="<results>/balancing.json" if BY_CONTRIBUTIONS else [],
        records=[] if BY_CONTRIBUTIONS else [f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.tasks],
    output:
        groups="<results>/groups.yaml",
        table="<results>/groups.tsv",
        figure=[f"<results>/figures/groups.{kind}" for kind in ("svg", "png")],
    log:
        "<results>/logs/propose_groups.log",
    benchmark:
        "<results>/benchmarks/propose_groups.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=4000,
        runtime=30,
    params:
        source=lambda w, input: (
            options(contributions=input.contributions, balancing=input.balancing)
            if BY_CONTRIBUTIONS
            else options(records=EXPERIMENT.folder / "records", samples=GROUPING.samples, seed=EXPERIMENT.config.seed)
        ),
        options=options(group=GROUPS, number=GROUPING.number, rate_mini=EXPERIMENT.rate("mini")),
    shell:
        "VISATB_PROGRESS_FD=3 python $SCRIPTS/propose_groups.py {params.source} {params.options}"
        " --groups {output.groups:q} --table {output.table:q} --figure {output.figure:q} 3>&2 > {log:q} 2>&1"
