# Benchmarks that nothing was trained for: a run's answers through lmms-eval, MM-Vet's grades by the judge, one table.

from visatb.evaluation.zero_shot.benchmarks import found_files
from visatb.evaluation.zero_shot.plan import benchmarks, methods
from visatb.experiment.jobs.evaluation import grading_job, zero_shot_job, zero_shot_table_job

ZERO_SHOT = benchmarks(EXPERIMENT.config)
ANSWERING = methods(EXPERIMENT.config)
GRADED = [benchmark.name for benchmark in ZERO_SHOT if benchmark.is_judged]

if ZERO_SHOT:
    SERVED = EXPERIMENT.config.zero_shot.endpoint is not None
    # No parameter of the rule: answers do not depend on the way to the server, and another one should re-run nothing.
    if SERVED:
        set_untracked("zero_shot.endpoint", EXPERIMENT.config.zero_shot.endpoint.connection)

    rule zero_shot:
        input:
            model="<results>/runs/{run}/model",
            data=found_files([pattern for benchmark in ZERO_SHOT for pattern in benchmark.data]),
        output:
            scores=[
                f"<results>/zero_shot/{{run}}/{benchmark.name}.json"
                for benchmark in ZERO_SHOT
                if not benchmark.is_judged
            ],
            account="<results>/zero_shot/{run}/lmms_eval.json",
            samples=[f"<results>/zero_shot/{{run}}/{benchmark.name}.samples.jsonl" for benchmark in ZERO_SHOT],
        log:
            log_of("zero_shot/{run}"),
        benchmark:
            benchmark_of("zero_shot/{run}")
        wildcard_constraints:
            run=one_of(ANSWERING),
        priority: 10
        conda:
            "../envs/zero_shot.yaml"
        threads: cpus(prediction_resources)
        resources:
            cpus_per_task=cpus(prediction_resources),
            nodes=placed("nodes", prediction_resources),
            gpu=0 if SERVED else placed("gpu", prediction_resources),
            gpu_model=None if SERVED else placed("gpu_model", prediction_resources),
            mem_mb=growing("mem_mb", prediction_resources),
            runtime=growing("runtime", prediction_resources),
        params:
            job=lambda w: as_json(zero_shot_job(EXPERIMENT, w.run)),
            output=subpath(output.account, parent=True),
        shell:
            program(
                "zero_shot zero_shot",
                "--job {params.job:q} --model {input.model:q} --threads {threads} --output {params.output:q}",
            )

    rule collect_zero_shot:
        input:
            [f"<results>/zero_shot/{run}/{benchmark.name}.json" for run in ANSWERING for benchmark in ZERO_SHOT],
        output:
            table="<results>/zero_shot.tsv",
            markdown="<results>/zero_shot.md",
            tidy="<results>/zero_shot_scores.tsv",
        log:
            log_of("collect_zero_shot"),
        benchmark:
            benchmark_of("collect_zero_shot")
        priority: 50
        conda:
            "../envs/evaluate.yaml"
        params:
            job=as_json(zero_shot_table_job(EXPERIMENT)),
            scores=EXPERIMENT.folder / "zero_shot",
        shell:
            program(
                "zero_shot collect_zero_shot",
                "--job {params.job:q} --scores {params.scores:q} --table {output.table:q} --markdown {output.markdown:q}"
                " --tidy {output.tidy:q}",
            )


if GRADED:

    # A job that asks a judge over the network: no GPU.
    rule judge_zero_shot:
        input:
            "<results>/zero_shot/{run}/{benchmark}.samples.jsonl",
        output:
            "<results>/zero_shot/{run}/{benchmark}.json",
        log:
            log_of("judge_zero_shot/{run}.{benchmark}"),
        benchmark:
            benchmark_of("judge_zero_shot/{run}.{benchmark}")
        wildcard_constraints:
            benchmark=one_of(GRADED),
        priority: 40
        conda:
            "../envs/evaluate.yaml"
        resources:
            runtime=720,
            judge=1,
        params:
            job=lambda w: as_json(grading_job(EXPERIMENT, w.run, w.benchmark)),
            replies=EXPERIMENT.judge_replies,
        shell:
            program(
                "zero_shot judge_zero_shot",
                "--job {params.job:q} --samples {input:q} --replies {params.replies:q} --output {output:q}",
            )
