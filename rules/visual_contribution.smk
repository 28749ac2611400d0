# How much the image makes the true answers of test likelier than noise does, where evaluation.visual_contribution is set.

LOOKED_AT = [(run, task) for run, split, task in EXPERIMENT.evaluations("test")]
VISUAL_CONTRIBUTION = (
    ["<results>/visual_contribution.tsv"] + [f"<results>/figures/visual_contribution.{kind}" for kind in ("svg", "png")]
    if EXPERIMENT.config.evaluation.visual_contribution
    else []
)

if VISUAL_CONTRIBUTION:

    rule measure_visual_contribution:
        input:
            model=model_to_ask,
            records=lambda w: [f"<results>/records/{task}/test.parquet" for run, task in LOOKED_AT if run == w.run],
        output:
            directory("<results>/visual_contribution/{run}"),
        log:
            "<results>/logs/measure_visual_contribution/{run}.log",
        benchmark:
            "<results>/benchmarks/measure_visual_contribution/{run}.tsv"
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
            records=EXPERIMENT.folder / "records",
            options=lambda w: options(
                run=w.run,
                task=[task for run, task in LOOKED_AT if run == w.run],
                max_length=EXPERIMENT.config.training.max_length,
                batch_size=EXPERIMENT.config.evaluation.batch_size,
                precision=EXPERIMENT.config.training.precision,
                attention=EXPERIMENT.model.attention,
                gpus=prediction_resources(w).gpus,
            ),
        shell:
            "VISATB_PROGRESS_FD=3 $MODEL_PYTHON $SCRIPTS/measure_visual_contribution.py {params.options}"
            " --threads {threads} --model {input.model:q} --records {params.records:q} --output {output:q}"
            " 3>&2 > {log:q} 2>&1"

    rule collect_visual_contribution:
        input:
            [f"<results>/visual_contribution/{run}" for run in dict.fromkeys(run for run, task in LOOKED_AT)],
        output:
            report(
                "<results>/visual_contribution.tsv",
                caption="../report/visual_contribution.rst",
                category=Category.BENCHMARK.title,
            ),
        log:
            "<results>/logs/collect_visual_contribution.log",
        benchmark:
            "<results>/benchmarks/collect_visual_contribution.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=4000,
            runtime=30,
        params:
            samples=EXPERIMENT.folder / "visual_contribution",
            options=options(place=[f"{run}={task}" for run, task in LOOKED_AT]),
        shell:
            "python $SCRIPTS/collect_visual_contribution.py --samples {params.samples:q} {params.options}"
            " --output {output:q} > {log:q} 2>&1"

    rule plot_visual_contribution:
        input:
            [f"<results>/visual_contribution/{run}" for run in dict.fromkeys(run for run, task in LOOKED_AT)],
        output:
            figure("visual_contribution", Category.BENCHMARK),
            "<results>/figures/visual_contribution.png",
        log:
            log_of("plot_visual_contribution"),
        benchmark:
            benchmark_of("plot_visual_contribution")
        conda:
            "../envs/report.yaml"
        params:
            job=lambda w: as_json(visual_contribution_figure_job(EXPERIMENT)),
            samples=EXPERIMENT.folder / "visual_contribution",
        shell:
            program(
                "reporting plot_visual_contribution",
                "--job {params.job:q} --samples {params.samples:q} --output {output:q}",
            )
