# An experiment: how each of its files is made.


include: "common.smk"
include: "options.smk"
include: "zero_shot_options.smk"
include: "reuse_options.smk"
include: "taskgalaxy_options.smk"


pathvars:
    results=str(EXPERIMENT.folder),


report: "../report/workflow.rst"


include: "data.smk"
include: "planning.smk"
include: "model.smk"
include: "l2t.smk"
include: "train.smk"
include: "reuse.smk"
include: "evaluate.smk"
include: "plan_evaluation.smk"
include: "balance.smk"
include: "groups.smk"
include: "zero_shot.smk"
include: "report.smk"
include: "reporting.smk"
include: "accounts.smk"
include: "visual_contribution.smk"
include: "compare.smk"
