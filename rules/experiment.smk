# An experiment: how each of its files is made.


include: "common.smk"
include: "taskgalaxy.smk"


pathvars:
    results=str(EXPERIMENT.folder),


report: "../report/workflow.rst"


include: "models.smk"
include: "data.smk"
include: "planning.smk"
include: "training.smk"
include: "evaluation.smk"
include: "balancing.smk"
include: "zero_shot.smk"
include: "scores.smk"
include: "reporting.smk"
include: "accounts.smk"
