# From published data sets or annotation files to the training set of every run. All records are checked before
# anything is trained.

from visatb.experiment.jobs.data import mixture_job, source_job, split_job, subset_job

CORPUS = EXPERIMENT.config.corpus
SOURCES = EXPERIMENT.sources

# Rates that are left to the data are known when these are checked, not when rules are read.
SAMPLING = [] if EXPERIMENT.config.sampling.is_resolved else "<results>/sampling.json"


# Tasks that have a `source` are read, cleaned, merged and drawn before they are checked.
rule prepare_source:
    input:
        unpack(lambda w: EXPERIMENT.source_files(w.task)),
    output:
        train=f"{EXPERIMENT.prepared_folder}/{{task}}/train.jsonl",
        val=f"{EXPERIMENT.prepared_folder}/{{task}}/val.jsonl",
        test=f"{EXPERIMENT.prepared_folder}/{{task}}/test.jsonl",
        report=f"{EXPERIMENT.prepared_folder}/{{task}}/report.json",
    log:
        log_of("prepare_source/{task}"),
    benchmark:
        benchmark_of("prepare_source/{task}")
    wildcard_constraints:
        task=one_of(task for task in SOURCES if task in EXPERIMENT.tasks),
    priority: 50
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=8000,
        runtime=480,
    params:
        job=lambda w: as_json(source_job(EXPERIMENT, w.task)),
        files=lambda w: [
            f"{split}={file}" for split, names in EXPERIMENT.source_files(w.task).items() for file in names
        ],
        images=f"{EXPERIMENT.prepared_folder}/images",
        folder=lambda w: f"{EXPERIMENT.prepared_folder}/{w.task}",
    shell:
        program(
            "data prepare_source",
            "--job {params.job:q} --files {params.files:q} --images {params.images:q} --output {params.folder:q}",
            python="$MODEL_PYTHON",
        )


# A fixed task has its train split alone.
use rule prepare_source as prepare_fixed_source with:
    output:
        train=f"{EXPERIMENT.prepared_folder}/{{task}}/train.jsonl",
        report=f"{EXPERIMENT.prepared_folder}/{{task}}/report.json",
    wildcard_constraints:
        task=one_of(task for task in SOURCES if task in EXPERIMENT.config.fixed_tasks),


if CORPUS:

    rule draw_corpus:
        output:
            [path for task, split in EXPERIMENT.splits for path in EXPERIMENT.files(task, split)],
        log:
            log_of("draw_corpus"),
        benchmark:
            benchmark_of("draw_corpus")
        conda:
            "../envs/evaluate.yaml"
        params:
            corpus=as_json(CORPUS),
            folder=lambda w: EXPERIMENT.config.data_folder,
        shell:
            program("data draw_corpus", "--corpus {params.corpus:q} --folder {params.folder:q} --processes {threads}")


rule check_data:
    input:
        lambda w: EXPERIMENT.files(w.task, w.split),
    output:
        records="<results>/records/{task}/{split}.parquet",
        report="<results>/records/{task}/{split}.report.json",
    log:
        log_of("check_data/{task}.{split}"),
    benchmark:
        benchmark_of("check_data/{task}.{split}")
    priority: 40
    conda:
        "../envs/evaluate.yaml"
    resources:
        runtime=120,
    params:
        job=lambda w: as_json(split_job(EXPERIMENT, w.task, w.split)),
    shell:
        program(
            "data check_data",
            "--job {params.job:q} --files {input:q} --processes {threads} --output {output.records:q} --report {output.report:q}",
        )


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
        log_of("match_subset/{task}.{subset}"),
    benchmark:
        benchmark_of("match_subset/{task}.{subset}")
    wildcard_constraints:
        subset="mini|large",
    priority: 40
    conda:
        "../envs/evaluate.yaml"
    params:
        job=lambda w: as_json(subset_job(EXPERIMENT, w.task)),
    shell:
        program(
            "data match_subset",
            "--job {params.job:q} --subset {wildcards.subset} --files {input.files:q} --train {input.train:q}"
            " --mini {input.mini:q} --output {output:q}",
        )


rule collect_data_report:
    input:
        [f"<results>/records/{task}/{split}.report.json" for task, split in EXPERIMENT.splits],
    output:
        "<results>/data_report.tsv",
    log:
        log_of("collect_data_report"),
    benchmark:
        benchmark_of("collect_data_report")
    priority: 50
    conda:
        "../envs/evaluate.yaml"
    shell:
        program("data collect_data_report", "--reports {input:q} --output {output:q}")


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
        log_of("build_mixture/{run}"),
    benchmark:
        benchmark_of("build_mixture/{run}")
    priority: 40
    conda:
        "../envs/evaluate.yaml"
    resources:
        mem_mb=8000,
    params:
        job=lambda w: as_json(mixture_job(EXPERIMENT, w.run)),
        records=EXPERIMENT.folder / "records",
        rows=lambda w: pairs(ready_made_rows(w.run)),
    shell:
        program(
            "data build_mixture",
            "--job {params.job:q} --records {params.records:q} --sampling {input.sampling:q} --rows {params.rows:q}"
            " --output {output:q}",
        )
