# Splits of published data sets: tasks that have a `source` are read, cleaned, merged and drawn before they are checked.


rule prepare_source:
    input:
        unpack(source_files),
    output:
        train=f"{EXPERIMENT.prepared_folder}/{{task}}/train.jsonl",
        val=f"{EXPERIMENT.prepared_folder}/{{task}}/val.jsonl",
        test=f"{EXPERIMENT.prepared_folder}/{{task}}/test.jsonl",
        report=f"{EXPERIMENT.prepared_folder}/{{task}}/report.json",
    log:
        "<results>/logs/prepare_source/{task}.log",
    benchmark:
        "<results>/benchmarks/prepare_source/{task}.tsv"
    wildcard_constraints:
        task=one_of(task for task in SOURCES if task in EXPERIMENT.tasks),
    priority: 50
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=8000,
        runtime=480,
    params:
        files=split_and_file,
        options=source_options,
    shell:
        "VISATB_PROGRESS_FD=3 $MODEL_PYTHON $SCRIPTS/prepare_source.py {params.options} {params.files}"
        " 3>&2 > {log:q} 2>&1"


# A fixed task has its train split alone.
use rule prepare_source as prepare_fixed_source with:
    output:
        train=f"{EXPERIMENT.prepared_folder}/{{task}}/train.jsonl",
        report=f"{EXPERIMENT.prepared_folder}/{{task}}/report.json",
    wildcard_constraints:
        task=one_of(task for task in SOURCES if task in EXPERIMENT.config.fixed_tasks),
