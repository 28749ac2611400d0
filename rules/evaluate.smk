# Answers of every run, all tasks in one job with the model loaded once; then scores, all tasks in one small job.

ANSWERED_BY_SERVER = EXPERIMENT.config.evaluation.endpoint is not None
# No parameters of the rule: answers do not depend on the address, and another one should re-run nothing.
os.environ |= {
    "ANSWERING_PYTHON": "python" if ANSWERED_BY_SERVER else EXPERIMENT.config.python or "python",
    "ANSWERING_CONNECTION": answering_connection(),
}


rule predict:
    input:
        model=model_to_ask,
        records=records_to_answer,
        sizes=evaluation_sizes,
    output:
        [f"<results>/predictions/{{run}}/{{split}}/{task}.parquet" for task in EXPERIMENT.tasks],
    log:
        "<results>/logs/predict/{run}.{split}.log",
    benchmark:
        "<results>/benchmarks/predict/{run}.{split}.tsv"
    wildcard_constraints:
        run=answering(all_tasks=True),
    priority: 35
    conda:
        "../envs/evaluate.yaml" if ANSWERED_BY_SERVER else "../envs/train.yaml"
    threads: cpus(answering_resources)
    resources:
        cpus_per_task=cpus(answering_resources),
        mem_mb=growing("mem_mb", answering_resources),
        runtime=growing("runtime", answering_resources),
        nodes=placed("nodes", answering_resources),
        gpu=placed("gpu", answering_resources),
        gpu_model=placed("gpu_model", answering_resources),
    params:
        options=prediction_options,
        records=EXPERIMENT.folder / "records",
        output=subpath(output[0], parent=True),
        model=lambda w, input: str(input.model) or base_of(w),
        folder=lambda w: EXPERIMENT.folder / "runs" / w.run,
        sizes=lambda w, input: f"--sizes {shlex.quote(input.sizes)}" if input.get("sizes") else "",
    shell:
        "VISATB_PROGRESS_FD=3 $ANSWERING_PYTHON $SCRIPTS/predict.py {params.options} {params.sizes} $ANSWERING_CONNECTION"
        " --threads {threads} --model {params.model:q} --records {params.records:q} --output {params.output:q}"
        " --shards {params.folder:q}/answers 3>&2 > {log:q} 2>&1"


# A model trained on one task alone answers that task alone.
use rule predict as predict_alone with:
    output:
        "<results>/predictions/{run}/{split}/{task}.parquet",
    log:
        "<results>/logs/predict/{run}.{split}.{task}.log",
    benchmark:
        "<results>/benchmarks/predict/{run}.{split}.{task}.tsv"
    wildcard_constraints:
        run=answering(all_tasks=False),
    priority: 15


if EXPERIMENT.judged_tasks:
    JUDGE = EXPERIMENT.config.evaluation.judge
    # No parameter of the rule: verdicts do not depend on it, and another address should re-run nothing.
    os.environ |= {"JUDGE_CONNECTION": judge_connection()}

    # A job that asks a judge over the network: no GPU. What it was told is kept, so a second start asks for the rest.
    rule judge:
        input:
            predictions="<results>/predictions/{run}/{split}/{task}.parquet",
            prompt=JUDGE.prompt,
            context=lambda w: EXPERIMENT.judge_context(w.task),
        output:
            "<results>/verdicts/{run}/{split}/{task}.parquet",
        log:
            "<results>/logs/judge/{run}.{split}.{task}.log",
        benchmark:
            "<results>/benchmarks/judge/{run}.{split}.{task}.tsv"
        wildcard_constraints:
            task=one_of(EXPERIMENT.judged_tasks),
        priority: 40
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=2000,
            runtime=720,
            judge=1,
        params:
            options=judge_options,
            replies=EXPERIMENT.judge_replies,
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/judge.py {params.options} $JUDGE_CONNECTION --predictions {input.predictions:q}"
            " --prompt {input.prompt:q} --context {input.context:q} --replies {params.replies:q}"
            " --output {output:q} 3>&2 > {log:q} 2>&1"


rule score:
    input:
        predictions=answers_to_score,
        verdicts=verdicts,
    output:
        digests="<results>/scores/{run}/{split}.json",
        scores=[f"<results>/scores/{{run}}/{{split}}/{task}.parquet" for task in EXPERIMENT.tasks],
    log:
        "<results>/logs/score/{run}.{split}.log",
    benchmark:
        "<results>/benchmarks/score/{run}.{split}.tsv"
    wildcard_constraints:
        run=answering(all_tasks=True),
    priority: 40
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        options=scoring_options,
        folders=lambda w, output: scoring_folders(w, output, EXPERIMENT.folder),
        versions=metric_versions,
    shell:
        "python $SCRIPTS/score.py {params.options} {params.folders} > {log:q} 2>&1"


use rule score as score_alone with:
    output:
        "<results>/scores/{run}/{split}/{task}.parquet",
    log:
        "<results>/logs/score/{run}.{split}.{task}.log",
    benchmark:
        "<results>/benchmarks/score/{run}.{split}.{task}.tsv"
    wildcard_constraints:
        run=answering(all_tasks=False),
