# A pilot of every run that measures: from it follows how many samples all of them answer.


use rule predict as predict_pilot with:
    input:
        model=model_to_ask,
        records=records_to_answer,
        sizes=[],
    output:
        [f"<results>/pilot/predictions/{{run}}/{{split}}/{task}.parquet" for task in EXPERIMENT.tasks],
    log:
        log_of("predict_pilot/{run}.{split}"),
    benchmark:
        benchmark_of("predict_pilot/{run}.{split}")
    params:
        job=lambda w: as_json(pilot_job(EXPERIMENT, w.run, w.split, tasks_to_answer(w))),
        model=model_name,
        records=EXPERIMENT.folder / "records",
        output=folder_of("predictions", "pilot"),
        shards=lambda w: EXPERIMENT.folder / "runs" / w.run / "answers",


use rule predict_pilot as predict_pilot_alone with:
    output:
        "<results>/pilot/predictions/{run}/{split}/{task}.parquet",
    log:
        log_of("predict_pilot/{run}.{split}.{task}"),
    benchmark:
        benchmark_of("predict_pilot/{run}.{split}.{task}")
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
            log_of("judge_pilot/{run}.{split}.{task}"),
        benchmark:
            benchmark_of("judge_pilot/{run}.{split}.{task}")


use rule score as score_pilot with:
    input:
        predictions=lambda w: answers_to_score(w, "<results>/pilot"),
        verdicts=lambda w: verdicts(w, "<results>/pilot"),
    output:
        digests="<results>/pilot/scores/{run}/{split}.json",
        scores=[f"<results>/pilot/scores/{{run}}/{{split}}/{task}.parquet" for task in EXPERIMENT.tasks],
    log:
        log_of("score_pilot/{run}.{split}"),
    benchmark:
        benchmark_of("score_pilot/{run}.{split}")
    params:
        job=lambda w: as_json(scoring_job(EXPERIMENT, w.run, tasks_to_answer(w))),
        predictions=folder_of("predictions", "pilot"),
        verdicts=folder_of("verdicts", "pilot"),
        output=folder_of("scores", "pilot"),
        digests=digests_file,


use rule score_pilot as score_pilot_alone with:
    output:
        "<results>/pilot/scores/{run}/{split}/{task}.parquet",
    log:
        log_of("score_pilot/{run}.{split}.{task}"),
    benchmark:
        benchmark_of("score_pilot/{run}.{split}.{task}")
    wildcard_constraints:
        run=answering(all_tasks=False),
