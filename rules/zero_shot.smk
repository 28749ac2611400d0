# Benchmarks that nothing was trained for: a run's answers through lmms-eval, MM-Vet's grades by the judge, one table.

if ZERO_SHOT:
    SERVED = EXPERIMENT.config.zero_shot.endpoint is not None

    rule zero_shot:
        input:
            model="<results>/runs/{run}/model",
            data=found_files([pattern for one in ZERO_SHOT for pattern in one.data]),
        output:
            scores=[f"<results>/zero_shot/{{run}}/{one.name}.json" for one in ZERO_SHOT if not one.is_judged],
            account="<results>/zero_shot/{run}/lmms_eval.json",
            samples=[f"<results>/zero_shot/{{run}}/{one.name}.samples.jsonl" for one in ZERO_SHOT],
        log:
            "<results>/logs/zero_shot/{run}.log",
        benchmark:
            "<results>/benchmarks/zero_shot/{run}.tsv"
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
            options=zero_shot_options,
            model=answering_model,
            output=subpath(output.account, parent=True),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/zero_shot.py {params.options} --threads {threads}"
            " --model {params.model:q} --output {params.output:q} 3>&2 > {log:q} 2>&1"

    rule collect_zero_shot:
        input:
            [f"<results>/zero_shot/{run}/{one.name}.json" for run in ANSWERING for one in ZERO_SHOT],
        output:
            table="<results>/zero_shot.tsv",
            markdown="<results>/zero_shot.md",
            tidy="<results>/zero_shot_scores.tsv",
        log:
            "<results>/logs/collect_zero_shot.log",
        benchmark:
            "<results>/benchmarks/collect_zero_shot.tsv"
        priority: 50
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=2000,
            runtime=10,
        params:
            scores=EXPERIMENT.folder / "zero_shot",
            options=options(
                method=ANSWERING,
                benchmark=[one.name for one in ZERO_SHOT],
                lower_is_better=[one.name for one in ZERO_SHOT if not one.higher_is_better],
            ),
        shell:
            "python $SCRIPTS/collect_zero_shot.py --scores {params.scores:q} {params.options}"
            " --table {output.table:q} --markdown {output.markdown:q} --tidy {output.tidy:q} > {log:q} 2>&1"


if GRADED:
    # No parameter of the rule: grades do not depend on it, and another address should re-run nothing.
    os.environ |= {"JUDGE_CONNECTION": judge_connection()}

    # A job that asks a judge over the network: no GPU.
    rule judge_zero_shot:
        input:
            "<results>/zero_shot/{run}/{benchmark}.samples.jsonl",
        output:
            "<results>/zero_shot/{run}/{benchmark}.json",
        log:
            "<results>/logs/judge_zero_shot/{run}.{benchmark}.log",
        benchmark:
            "<results>/benchmarks/judge_zero_shot/{run}.{benchmark}.tsv"
        wildcard_constraints:
            benchmark=one_of(GRADED),
        priority: 40
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=2000,
            runtime=720,
            judge=1,
        params:
            options=grading_options,
            replies=EXPERIMENT.judge_replies,
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/judge_zero_shot.py {params.options} $JUDGE_CONNECTION"
            " --samples {input:q} --replies {params.replies:q} --output {output:q} 3>&2 > {log:q} 2>&1"
