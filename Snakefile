from snakemake.utils import min_version

min_version("9.27")

if not workflow.overwrite_configfiles:

    configfile: "config/config.yaml"


include: "rules/common.smk"
include: "rules/resources.smk"
include: "rules/options.smk"
include: "rules/data_options.smk"
include: "rules/zero_shot_options.smk"
include: "rules/report_options.smk"
include: "rules/reuse_options.smk"


pathvars:
    results=str(EXPERIMENT.folder),


report: "report/workflow.rst"


include: "rules/prepare.smk"
include: "rules/data.smk"
include: "rules/plan.smk"
include: "rules/model.smk"
include: "rules/l2t.smk"
include: "rules/train.smk"
include: "rules/reuse.smk"
include: "rules/evaluate.smk"
include: "rules/plan_evaluation.smk"
include: "rules/balance.smk"
include: "rules/groups.smk"
include: "rules/zero_shot.smk"
include: "rules/report.smk"
include: "rules/export.smk"
include: "rules/explorer.smk"
include: "rules/accounts.smk"
include: "rules/status.smk"
include: "rules/visual_contribution.smk"
include: "rules/compare.smk"


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
        SCORES,
        LEDGERS,
        VISUAL_CONTRIBUTION,
        ["<results>/zero_shot.md", "<results>/zero_shot_scores.tsv"] if ZERO_SHOT else [],


# The preparation alone: what to look at before the final trainings are paid for.
rule weights:
    input:
        "<results>/plan.tsv",
        "<results>/token_ledger.tsv",
        "<results>/validation_matrix.tsv",
        "<results>/weights.tsv",
        PREPARATION_TABLES,
        PREPARATION_FIGURES,
        PREPARATION_ACCOUNTS,
        "<results>/explorer.html",


# Instead of Snakemake's own lock, which outlives a killed Snakemake (`nolock` in the profiles). Who only looks holds
# nothing.
onstart:
    check_nodes()
    if {job.rule.name for job in workflow.dag.needrun_jobs()} != {"status"}:
        try:
            globals()["HELD"] = hold(EXPERIMENT.folder, f"experiment {EXPERIMENT.name}")
        except VisatbError as mistake:
            raise WorkflowError(str(mistake)) from None


onsuccess:
    summary = EXPERIMENT.folder / "summary.txt"
    if summary.is_file() and "all" in {job.rule.name for job in workflow.dag.jobs}:
        print(summary.read_text(encoding="utf-8"))
