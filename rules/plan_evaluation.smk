# Where a precision is asked for: a pilot of every run that measures.

if EXPERIMENT.config.evaluation.precision:

    use rule predict as predict_pilot with:
        input:
            model=model_to_ask,
            records=records_to_answer,
        output:
            [f"<results>/pilot/predictions/{{run}}/{{split}}/{task}.parquet" for task in EXPERIMENT.tasks],
        log:
            "<results>/logs/predict_pilot/{run}.{split}.log",
        benchmark:
            "<results>/benchmarks/predict_pilot/{run}.{split}.tsv"
        params:
            options=pilot_options,
            records=EXPERIMENT.folder / "records",
            output=subpath(output[0], parent=True),
            model=lambda w, input: str(input.model) or base_of(w),
            folder=lambda w: EXPERIMENT.folder / "runs" / w.run,
            sizes="",

    use rule predict_pilot as predict_pilot_alone with:
        output:
            "<results>/pilot/predictions/{run}/{split}/{task}.parquet",
        log:
            "<results>/logs/predict_pilot/{run}.{split}.{task}.log",
        benchmark:
            "<results>/benchmarks/predict_pilot/{run}.{split}.{task}.tsv"
        wildcard_constraints:
            run=answering(all_tasks=False),

    if EXPERIMENT.judged_tasks:

        use rule judge as judge_pilot with:
            input:
                predictions="<results>/pilot/predictions/{run}/{split}/{task}.parquet",
                prompt=JUDGE.prompt,
                context=lambda w: EXPERIMENT.judge_context(w.task),
            output:
                "<results>/pilot/verdicts/{run}/{split}/{task}.parquet",
            log:
                "<results>/logs/judge_pilot/{run}.{split}.{task}.log",
            benchmark:
                "<results>/benchmarks/judge_pilot/{run}.{split}.{task}.tsv"

    use rule score as score_pilot with:
        input:
            predictions=lambda w: answers_to_score(w, "<results>/pilot"),
            verdicts=lambda w: verdicts(w, "<results>/pilot"),
        output:
            digests="<results>/pilot/scores/{run}/{split}.json",
            scores=[f"<results>/pilot/scores/{{run}}/{{split}}/{task}.parquet" for task in EXPERIMENT.tasks],
        log:
            "<results>/logs/score_pilot/{run}.{split}.log",
        benchmark:
            "<results>/benchmarks/score_pilot/{run}.{split}.tsv"
        params:
            options=scoring_options,
            folders=lambda w, output: scoring_folders(w, output, EXPERIMENT.folder / "pilot"),
            versions=metric_versions,

    use rule score_pilot as score_pilot_alone with:
        output:
            "<results>/pilot/scores/{run}/{split}/{task}.parquet",
        log:
            "<results>/logs/score_pilot/{run}.{split}.{task}.log",
        benchmark:
            "<results>/benchmarks/score_pilot/{run}.{split}.{task}.tsv"
        wildcard_constraints:
            run=answering(all_tasks=False),
