# From annotation files to the training set of every run. All records are checked before anything is trained.

CORPUS = EXPERIMENT.config.corpus

if CORPUS:

    rule draw_corpus:
        output:
            [path for task, split in EXPERIMENT.splits for path in EXPERIMENT.files(task, split)],
        log:
            "<results>/logs/draw_corpus.log",
        benchmark:
            "<results>/benchmarks/draw_corpus.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=2000,
            runtime=30,
        params:
            options=options(
                folder=EXPERIMENT.config.data_folder,
                seed=CORPUS.seed,
                **dict(CORPUS.samples),
            ),
        shell:
            "python $SCRIPTS/draw_corpus.py {params.options} --processes {threads} > {log} 2>&1"


rule check_data:
    input:
        files=lambda w: EXPERIMENT.files(w.task, w.split),
    output:
        records="<results>/records/{task}/{split}.parquet",
        report="<results>/records/{task}/{split}.report.json",
    log:
        "<results>/logs/check_data/{task}.{split}.log",
    benchmark:
        "<results>/benchmarks/check_data/{task}.{split}.tsv"
    priority: 40
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=4000,
        runtime=120,
    params:
        options=lambda w: options(
            task=w.task,
            split=w.split,
            image_folder=EXPERIMENT.image_folder(w.task),
            tolerated=EXPERIMENT.config.on_bad_records,
            metrics=EXPERIMENT.box_metrics(w.task),
            task_field=EXPERIMENT.settings(w.task).task_field,
            other_fields=EXPERIMENT.other_fields(w.task),
            number_ids=EXPERIMENT.config.duplicate_ids == "number",
        ),
    shell:
        "VISATB_PROGRESS_FD=3 python $SCRIPTS/check_data.py {params.options} --files {input.files:q}"
        " --processes {threads}"
        " --output {output.records:q} --report {output.report:q} 3>&2 > {log:q} 2>&1"


# Which rows of train a ready-made mini or large subset holds; mini must lie within large.
rule match_subset:
    input:
        files=lambda w: EXPERIMENT.files(w.task, w.subset),
        train="<results>/records/{task}/train.parquet",
        mini=lambda w: (
            f"<results>/records/{w.task}/mini.rows.parquet"
            if w.subset == "large" and (w.task, "mini") in EXPERIMENT.ready_made
            else []
        ),
    output:
        "<results>/records/{task}/{subset}.rows.parquet",
    log:
        "<results>/logs/match_subset/{task}.{subset}.log",
    benchmark:
        "<results>/benchmarks/match_subset/{task}.{subset}.tsv"
    wildcard_constraints:
        subset="mini|large",
    priority: 40
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=4000,
        runtime=60,
    params:
        options=lambda w: options(
            task=w.task,
            subset=w.subset,
            image_folder=EXPERIMENT.image_folder(w.task),
            task_field=EXPERIMENT.settings(w.task).task_field,
            other_fields=EXPERIMENT.other_fields(w.task),
            number_ids=EXPERIMENT.config.duplicate_ids == "number",
        ),
        mini=lambda w, input: f"--mini {shlex.quote(input.mini)}" if input.mini else "",
    shell:
        "python $SCRIPTS/match_subset.py {params.options} --files {input.files:q} --train {input.train:q}"
        " {params.mini} --output {output:q} > {log:q} 2>&1"


rule collect_data_report:
    input:
        [f"<results>/records/{task}/{split}.report.json" for task, split in EXPERIMENT.splits],
    output:
        "<results>/data_report.tsv",
    log:
        "<results>/logs/collect_data_report.log",
    benchmark:
        "<results>/benchmarks/collect_data_report.tsv"
    priority: 50
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=1000,
        runtime=10,
    shell:
        "python $SCRIPTS/collect_data_report.py --reports {input:q} --output {output:q} > {log:q} 2>&1"


rule build_mixture:
    input:
        records=lambda w: [f"<results>/records/{task}/train.parquet" for task in EXPERIMENT.runs[w.run].mixture],
        rows=lambda w: list(ready_made_rows(w.run).values()),
        sampling=SAMPLING,
        # So that every split of every task is checked before anything is trained.
        checked="<results>/data_report.tsv",
    output:
        "<results>/mixtures/{run}.arrow",
    log:
        "<results>/logs/build_mixture/{run}.log",
    benchmark:
        "<results>/benchmarks/build_mixture/{run}.tsv"
    priority: 40
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=8000,
        runtime=60,
    params:
        records=EXPERIMENT.folder / "records",
        options=lambda w: options(
            subset=pairs(EXPERIMENT.runs[w.run].mixture),
            rate=given_rates(),
            seed=EXPERIMENT.config.seed,
            sampling=EXPERIMENT.folder / "sampling.json" if SAMPLING else None,
        ),
        rows=lambda w: options(rows=pairs(ready_made_rows(w.run))),
    shell:
        "python $SCRIPTS/build_mixture.py --records {params.records:q} {params.options}"
        " {params.rows} --output {output:q} > {log:q} 2>&1"
