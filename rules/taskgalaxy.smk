# TaskGalaxy: from seed types and a folder of pictures to LLaVA JSON lines that an experiment reads as its tasks. Where
# its files lie, and what is told before and after the stages.

from visatb.taskgalaxy.browse import STAGES as BROWSED
from visatb.taskgalaxy.jobs import connections, plan_job, provenance_job
from visatb.taskgalaxy.prompt_files import prompt_paths

TASKGALAXY = (DATA_SET or EXPERIMENT.config).taskgalaxy
GALAXY = str(Path(TASKGALAXY.folder)) if TASKGALAXY else ""
STAGE_TABLES = {
    "expand_types": f"{GALAXY}/stages/proposed_types.parquet",
    "deduplicate_types": f"{GALAXY}/stages/types.parquet",
    "list_images": f"{GALAXY}/stages/pictures.parquet",
    "match_types": f"{GALAXY}/stages/matches.parquet",
    "filter_types": f"{GALAXY}/stages/candidates.parquet",
    "write_questions": f"{GALAXY}/stages/samples.parquet",
    "vote": f"{GALAXY}/stages/judged.parquet",
    "export_taskgalaxy": f"{GALAXY}/stages/exported.parquet",
}
GALAXY_SPLITS = {split: f"{GALAXY}/{split}.jsonl" for split in ("train", "val", "test")}
ACCOUNT_FILES = ("funnel.tsv", "rejections.tsv", "funnel.svg", "funnel.png", "provenance.json", "provenance.md")
PROMPTS = prompt_paths(TASKGALAXY) if TASKGALAXY else {}
NAMED_FILES = {"seeds": TASKGALAXY.seeds, **PROMPTS, **GALAXY_SPLITS} if TASKGALAXY else {}
DATA_ACCOUNT = [f"{GALAXY}/{name}" for name in (*ACCOUNT_FILES, "browse.html")] if TASKGALAXY else []


if TASKGALAXY:
    from visatb.taskgalaxy.begin import before_jobs  # imports the client of endpoints: a second at every start

    # What is replied does not depend on addresses, prices or the budget: another one re-runs nothing.
    set_untracked("taskgalaxy", connections(TASKGALAXY))

    include: "taskgalaxy_stages.smk"

    rule taskgalaxy_plan:
        input:
            TASKGALAXY.seeds,
            PROMPTS.values(),
        output:
            f"{GALAXY}/plan.tsv",
        log:
            log_of("taskgalaxy_plan", GALAXY),
        benchmark:
            benchmark_of("taskgalaxy_plan", GALAXY)
        priority: 100
        conda:
            "../envs/evaluate.yaml"
        params:
            job=lambda w: as_json(plan_job(TASKGALAXY)),
        shell:
            program(
                "taskgalaxy taskgalaxy_plan",
                "--job {params.job:q} --output {output:q}",
            )

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
            log_of("collect_funnel", GALAXY),
        benchmark:
            benchmark_of("collect_funnel", GALAXY)
        conda:
            "../envs/evaluate.yaml"
        params:
            job=lambda w: as_json(provenance_job(TASKGALAXY)),
            tables=pairs(STAGE_TABLES),
            files=lambda w: pairs(NAMED_FILES),
        shell:
            program(
                "taskgalaxy collect_funnel",
                "--job {params.job:q} --tables {params.tables:q} --files {params.files:q} --tasks {input.tasks:q}"
                " --funnel {output.funnel:q} --rejections {output.rejections:q} --provenance {output.provenance:q}"
                " --markdown {output.markdown:q}",
            )

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
            log_of("plot_funnel", GALAXY),
        benchmark:
            benchmark_of("plot_funnel", GALAXY)
        conda:
            "../envs/report.yaml"
        shell:
            program(
                "taskgalaxy plot_funnel",
                "--funnel {input:q} --output {output:q}",
            )

    rule browse_taskgalaxy:
        input:
            list(STAGE_TABLES.values()),
            votes=f"{GALAXY}/stages/votes.parquet",
            types=STAGE_TABLES["deduplicate_types"],
        output:
            f"{GALAXY}/browse.html",
        log:
            log_of("browse_taskgalaxy", GALAXY),
        benchmark:
            benchmark_of("browse_taskgalaxy", GALAXY)
        conda:
            "../envs/evaluate.yaml"
        params:
            tables=pairs({stage: STAGE_TABLES[stage] for stage in BROWSED}),
            images=lambda w: TASKGALAXY.images,
            most=TASKGALAXY.browse,
        shell:
            program(
                "taskgalaxy browse_taskgalaxy",
                "--tables {params.tables:q} --votes {input.votes:q} --types {input.types:q} --images {params.images:q}"
                " --most {params.most} --output {output:q}",
            )
