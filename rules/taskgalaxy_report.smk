# What TaskGalaxy tells of the data that it made: funnel, provenance, examples.

if TASKGALAXY:

    rule collect_funnel:
        input:
            list(STAGE_TABLES.values()),
            GALAXY_SPLITS.values(),
            TASKGALAXY.seeds,
            PROMPTS.values(),
            tasks=f"{GALAXY}/tasks.tsv",
        output:
            funnel=f"{GALAXY}/funnel.tsv",
            rejections=f"{GALAXY}/rejections.tsv",
            provenance=f"{GALAXY}/provenance.json",
            markdown=report(
                f"{GALAXY}/provenance.md",
                caption="../report/data_provenance.rst",
                category=Category.DATA.title,
            ),
        log:
            f"{GALAXY}/logs/collect_funnel.log",
        benchmark:
            f"{GALAXY}/benchmarks/collect_funnel.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            section=lambda w: TASKGALAXY.model_dump_json(),
            options=lambda w: options(table=pairs(STAGE_TABLES), file=pairs(NAMED_FILES)),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/collect_funnel.py {params.options} --section {params.section:q}"
            " --tasks {input.tasks:q} --funnel {output.funnel:q} --rejections {output.rejections:q}"
            " --provenance {output.provenance:q} {output.markdown:q} 3>&2 > {log:q} 2>&1"

    rule plot_funnel:
        input:
            f"{GALAXY}/funnel.tsv",
        output:
            report(
                f"{GALAXY}/funnel.svg",
                caption="../report/funnel.rst",
                category=Category.DATA.title,
            ),
            f"{GALAXY}/funnel.png",
        log:
            f"{GALAXY}/logs/plot_funnel.log",
        benchmark:
            f"{GALAXY}/benchmarks/plot_funnel.tsv"
        conda:
            "../envs/report.yaml"
        resources:
            mem_mb=1000,
            runtime=10,
        shell:
            "python $SCRIPTS/plot_funnel.py --funnel {input:q} --output {output:q} > {log:q} 2>&1"

    rule browse_taskgalaxy:
        input:
            list(STAGE_TABLES.values()),
            votes=f"{GALAXY}/stages/votes.parquet",
            types=STAGE_TABLES["deduplicate_types"],
        output:
            f"{GALAXY}/browse.html",
        log:
            f"{GALAXY}/logs/browse_taskgalaxy.log",
        benchmark:
            f"{GALAXY}/benchmarks/browse_taskgalaxy.tsv"
        conda:
            "../envs/evaluate.yaml"
        resources:
            mem_mb=4000,
            runtime=60,
        params:
            options=lambda w: options(
                table=pairs({stage: STAGE_TABLES[stage] for stage in BROWSED}),
                images=TASKGALAXY.images,
                number=TASKGALAXY.browse,
            ),
        shell:
            "VISATB_PROGRESS_FD=3 python $SCRIPTS/browse_taskgalaxy.py {params.options} --votes {input.votes:q}"
            " --types {input.types:q} --output {output:q} 3>&2 > {log:q} 2>&1"
