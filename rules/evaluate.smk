# Answers of every run, all tasks in one job with the model loaded once; then scores, one small job a task.


rule predict:
    input:
        model="<results>/runs/{run}/model",
        records=records_to_answer,
    output:
        [f"<results>/predictions/{{run}}/{{split}}/{task}.parquet" for task in EXPERIMENT.tasks],
    log:
        "<results>/logs/predict/{run}.{split}.log",
    benchmark:
        "<results>/benchmarks/predict/{run}.{split}.tsv"
    wildcard_constraints:
        run=one_of([name for name, run in EXPERIMENT.runs.items() if len(run.mixture) > 1]),
    priority: 35
    conda:
        "../envs/train.yaml"
    threads: asked_for("cpus", prediction_resources)
    resources:
        gpu=asked_for("gpus", prediction_resources),
        mem_mb=asked_for("mem_mb", prediction_resources),
        runtime=asked_for("runtime", prediction_resources),
    params:
        options=prediction_options,
        records=EXPERIMENT.folder / "records",
        output=subpath(output[0], parent=True),
        shards=subpath(input.model, parent=True),
    shell:
        "VISATB_PROGRESS_FD=3 $MODEL_PYTHON $SCRIPTS/predict.py {params.options} --threads {threads}"
        " --model {input.model:q} --records {params.records:q} --output {params.output:q}"
        " --shards {params.shards:q}/answers 3>&2 > {log:q} 2>&1"


# A model trained on one task alone answers that task alone.
use rule predict as predict_alone with:
    output:
        "<results>/predictions/{run}/{split}/{task}.parquet",
    log:
        "<results>/logs/predict/{run}.{split}.{task}.log",
    benchmark:
        "<results>/benchmarks/predict/{run}.{split}.{task}.tsv"
    wildcard_constraints:
        run=one_of([name for name, run in EXPERIMENT.runs.items() if len(run.mixture) == 1]),
    priority: 15


rule score:
    input:
        "<results>/predictions/{run}/{split}/{task}.parquet",
    output:
        "<results>/scores/{run}/{split}/{task}.parquet",
    log:
        "<results>/logs/score/{run}.{split}.{task}.log",
    benchmark:
        "<results>/benchmarks/score/{run}.{split}.{task}.tsv"
    priority: 40
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        options=lambda w: options(metrics=EXPERIMENT.tasks[w.task].metrics),
    shell:
        "python $SCRIPTS/score.py --predictions {input:q} {params.options} --output {output:q} > {log:q} 2>&1"
