# An experiment: how each of its files is made.


include: "common.smk"
include: "options.smk"
include: "report_options.smk"
include: "reuse_options.smk"
include: "taskgalaxy.smk"


pathvars:
    results=str(EXPERIMENT.folder),


report: "../report/workflow.rst"


include: "data.smk"
include: "plan.smk"
include: "model.smk"
include: "l2t.smk"
include: "train.smk"
include: "reuse.smk"
include: "evaluation.smk"
include: "plan_evaluation.smk"
include: "balance.smk"
include: "groups.smk"
include: "zero_shot.smk"
include: "report.smk"
include: "typeset.smk"
include: "export.smk"
include: "explorer.smk"
include: "accounts.smk"
include: "status.smk"
include: "visual_contribution.smk"
include: "compare.smk"
