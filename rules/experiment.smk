# An experiment: how each of its files is made.


include: "common.smk"
include: "options.smk"
include: "report_options.smk"
include: "reuse_options.smk"
include: "taskgalaxy.smk"


pathvars:
    results=str(EXPERIMENT.folder),


report: "../report/workflow.rst"


include: "models.smk"
include: "data.smk"
include: "plan.smk"
include: "training.smk"
include: "evaluation.smk"
include: "balancing.smk"
include: "zero_shot.smk"
include: "scores.smk"
include: "report.smk"
include: "typeset.smk"
include: "export.smk"
include: "explorer.smk"
include: "accounts.smk"
include: "status.smk"
include: "visual_contribution.smk"
