from snakemake.utils import min_version

min_version("9.27")

if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "rules/start.smk"
include: "rules/resources.smk"


# What there is to make: an experiment, with its data set if the workflow makes that too; or a data set alone.
if DATA_SET is None:

    include: "rules/experiment.smk"

    localrules:
        all,
        export,
        plan,
        status,
        weights,

    rule all:
        default_target: True
        input:
            "<results>/plan.tsv",
            "<results>/token_ledger.tsv",
            "<results>/weights.tsv",
            TABLES,
            "<results>/summary.txt",
            FIGURES,
            ACCOUNTS,
            "<results>/explorer.html",
            scored(EVALUATIONS),
            lambda w: missing_scores("val", "test"),
            LEDGERS,
            VISUAL_CONTRIBUTION,
            ["<results>/zero_shot.md", "<results>/zero_shot_scores.tsv"] if ZERO_SHOT else [],
            # The report of an experiment says what its data were made of.
            DATA_ACCOUNT,

    # The preparation alone: what to look at before the final trainings are paid for.
    rule weights:
        input:
            "<results>/plan.tsv",
            "<results>/token_ledger.tsv",
            "<results>/validation_matrix.tsv",
            lambda w: missing_scores("val"),
            "<results>/weights.tsv",
            PREPARATION_TABLES,
            PREPARATION_FIGURES,
            PREPARATION_ACCOUNTS,
            "<results>/explorer.html",

else:

    include: "rules/taskgalaxy.smk"


if TASKGALAXY:

    localrules:
        taskgalaxy,
        taskgalaxy_plan,

    rule taskgalaxy:
        default_target: DATA_SET is not None
        input:
            GALAXY_SPLITS.values(),
            f"{GALAXY}/plan.tsv",
            f"{GALAXY}/tasks.tsv",
            f"{GALAXY}/duplicates.tsv",
            DATA_ACCOUNT,


# Instead of Snakemake's own lock, which outlives a killed Snakemake (`nolock` in the profiles). Who only looks holds
# nothing.
onstart:
    jobs = {job.rule.name for job in workflow.dag.needrun_jobs()}
    try:
        if TASKGALAXY:
            globals()["GALAXY_HELD"] = before_jobs(TASKGALAXY, jobs)
        if DATA_SET is None:
            check_nodes()
        if DATA_SET is None and jobs != {"status"}:
            globals()["HELD"] = hold(EXPERIMENT.folder, f"experiment {EXPERIMENT.name}")
            note_earlier_models(EXPERIMENT)
    except VisatbError as mistake:
        raise WorkflowError(str(mistake)) from None


onsuccess:
    summary = EXPERIMENT.folder / "summary.txt" if DATA_SET is None else None
    if summary and summary.is_file() and "all" in {job.rule.name for job in workflow.dag.jobs}:
        print(summary.read_text(encoding="utf-8"))
