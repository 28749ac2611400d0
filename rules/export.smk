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
        "<results>/logs/export_weights.log",
    benchmark:
        "<results>/benchmarks/export_weights.tsv"
    conda:
        "../envs/report.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        records=EXPERIMENT.folder / "records",
        output=EXPERIMENT.folder / "export",
        options=options(
            experiment=EXPERIMENT.name,
            objective=EXPERIMENT.config.objective,
            seed=EXPERIMENT.config.seed,
            epochs=EXPERIMENT.config.training.epochs,
            family=EXPERIMENT.model.family,
        ),
    shell:
        "python $SCRIPTS/export_weights.py --weights {input.weights:q} --records {params.records:q} {params.options}"
        " --output {params.output:q} > {log:q} 2>&1"


rule export:
    input:
        EXPORTED,
