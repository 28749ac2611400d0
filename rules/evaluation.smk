# Answers of every run, all tasks in one job with the model loaded once; then scores, all tasks in one small job.

from visatb.experiment.jobs.evaluation import (
    contribution_job,
    contribution_table_job,
    judge_job,
    pilot_job,
    prediction_job,
    scoring_job,
)

ANSWERED_BY_SERVER = EXPERIMENT.config.evaluation.endpoint is not None
JUDGE = EXPERIMENT.config.evaluation.judge
# No parameters of rules: answers and verdicts do not depend on the way to a server, and another one should re-run nothing.
if ANSWERED_BY_SERVER:
    set_untracked("evaluation.endpoint", EXPERIMENT.config.evaluation.endpoint.connection)
if JUDGE:
    set_untracked("evaluation.judge", JUDGE.connection)


rule predict:
    input:
        model=model_to_ask,
        records=records_to_answer,
        sizes=evaluation_sizes,
    output:
        [f"<results>/predictions/{{run}}/{{split}}/{task}.parquet" for task in EXPERIMENT.tasks],
    log:
        log_of("predict/{run}.{split}"),
    benchmark:
        benchmark_of("predict/{run}.{split}")
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
        job=lambda w: as_json(prediction_job(EXPERIMENT, w.run, w.split, tasks_to_answer(w))),
        model=model_name,
        records=EXPERIMENT.folder / "records",
        output=folder_of("predictions"),
        shards=lambda w: EXPERIMENT.folder / "runs" / w.run / "answers",
    shell:
        program(
            "evaluation predict",
            "--job {params.job:q} --model {params.model:q} --records {params.records:q} --sizes {input.sizes:q}"
            " --threads {threads} --shards {params.shards:q} --output {params.output:q}",
            python="python" if ANSWERED_BY_SERVER else "$MODEL_PYTHON",
        )


# A model trained on one task alone answers that task alone.
use rule predict as predict_alone with:
    output:
        "<results>/predictions/{run}/{split}/{task}.parquet",
    log:
        log_of("predict/{run}.{split}.{task}"),
    benchmark:
        benchmark_of("predict/{run}.{split}.{task}")
    wildcard_constraints:
        run=answering(all_tasks=False),
    priority: 15


if EXPERIMENT.judged_tasks:

    # A job that asks a judge over the network: no GPU. What it was told is kept, so a second start asks for the rest.
    rule judge:
        input:
            predictions="<results>/predictions/{run}/{split}/{task}.parquet",
            prompt=JUDGE.prompt,
            context=lambda w: EXPERIMENT.judge_context(w.task),
        output:
            "<results>/verdicts/{run}/{split}/{task}.parquet",
        log:
            log_of("judge/{run}.{split}.{task}"),
        benchmark:
            benchmark_of("judge/{run}.{split}.{task}")
        wildcard_constraints:
            task=one_of(EXPERIMENT.judged_tasks),
        priority: 40
        conda:
            "../envs/evaluate.yaml"
        resources:
            runtime=720,
            judge=1,
        params:
            job=lambda w: as_json(judge_job(EXPERIMENT, w.run, w.split, w.task)),
            replies=EXPERIMENT.judge_replies,
        shell:
            program(
                "evaluation judge",
                "--job {params.job:q} --predictions {input.predictions:q} --prompt {input.prompt:q} --context {input.context:q}"
                " --replies {params.replies:q} --output {output:q}",
            )


rule score:
    input:
        predictions=answers_to_score,
        verdicts=verdicts,
    output:
        digests="<results>/scores/{run}/{split}.json",
        scores=[f"<results>/scores/{{run}}/{{split}}/{task}.parquet" for task in EXPERIMENT.tasks],
    log:
        log_of("score/{run}.{split}"),
    benchmark:
        benchmark_of("score/{run}.{split}")
    wildcard_constraints:
        run=answering(all_tasks=True),
    priority: 40
    conda:
        "../envs/evaluate.yaml"
    params:
        job=lambda w: as_json(scoring_job(EXPERIMENT, w.run, tasks_to_answer(w))),
        predictions=folder_of("predictions"),
        verdicts=folder_of("verdicts"),
        output=folder_of("scores"),
        digests=digests_file,
    shell:
        program(
            "evaluation score",
            "--job {params.job:q} --predictions {params.predictions:q} --verdicts {params.verdicts:q}"
            " --output {params.output:q} --digests {params.digests:q}",
        )


use rule score as score_alone with:
    output:
        "<results>/scores/{run}/{split}/{task}.parquet",
    log:
        log_of("score/{run}.{split}.{task}"),
    benchmark:
        benchmark_of("score/{run}.{split}.{task}")
    wildcard_constraints:
        run=answering(all_tasks=False),


# Where a precision is asked for: a pilot of every run that measures.
if EXPERIMENT.config.evaluation.precision:

    include: "evaluation_pilot.smk"


# How much the image makes the true answers of test likelier than noise does.
CONTRIBUTING = contribution_table_job(EXPERIMENT).tasks
VISUAL_CONTRIBUTION = (
    ["<results>/visual_contribution.tsv"] + [f"<results>/figures/visual_contribution.{kind}" for kind in ("svg", "png")]
    if EXPERIMENT.config.evaluation.visual_contribution
    else []
)

if VISUAL_CONTRIBUTION:

    rule measure_visual_contribution:
        input:
            model=model_to_ask,
            records=lambda w: [f"<results>/records/{task}/test.parquet" for task in CONTRIBUTING[w.run]],
        output:
            directory("<results>/visual_contribution/{run}"),
        log:
            log_of("measure_visual_contribution/{run}"),
        benchmark:
            benchmark_of("measure_visual_contribution/{run}")
        priority: 10
        conda:
            "../envs/train.yaml"
        threads: cpus(prediction_resources)
        resources:
            cpus_per_task=cpus(prediction_resources),
            mem_mb=growing("mem_mb", prediction_resources),
            runtime=growing("runtime", prediction_resources),
            nodes=placed("nodes", prediction_resources),
            gpu=placed("gpu", prediction_resources),
            gpu_model=placed("gpu_model", prediction_resources),
        params:
            job=lambda w: as_json(contribution_job(EXPERIMENT, w.run)),
            records=EXPERIMENT.folder / "records",
        shell:
            program(
                "evaluation measure_visual_contribution",
                "--job {params.job:q} --model {input.model:q} --records {params.records:q} --threads {threads} --output {output:q}",
                python="$MODEL_PYTHON",
            )

    rule collect_visual_contribution:
        input:
            [f"<results>/visual_contribution/{run}" for run in CONTRIBUTING],
        output:
            report(
                "<results>/visual_contribution.tsv",
                caption="../report/visual_contribution.rst",
                category=Category.BENCHMARK.title,
            ),
        log:
            log_of("collect_visual_contribution"),
        benchmark:
            benchmark_of("collect_visual_contribution")
        conda:
            "../envs/evaluate.yaml"
        params:
            job=as_json(contribution_table_job(EXPERIMENT)),
            samples=EXPERIMENT.folder / "visual_contribution",
        shell:
            program(
                "evaluation collect_visual_contribution",
                "--job {params.job:q} --samples {params.samples:q} --output {output:q}",
            )
