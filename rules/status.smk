# How far the experiment is. Works beside a Snakemake that runs it: see `onstart` in the Snakefile.


rule status:
    log:
        "<results>/logs/status.log",
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    params:
        config=lambda w: json.dumps(config, separators=(",", ":")),
    shell:
        "python $SCRIPTS/status.py --config {params.config:q} 2> {log:q}"
