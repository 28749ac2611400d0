# The config becomes one Experiment; paths, options and resources become small functions of its runs.

import json
import os
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from visatb.config_l2t import L2TConfig
from visatb.config_loading import read_yaml
from visatb.errors import VisatbError
from visatb.evaluation.metrics import METRICS
from visatb.experiment import Experiment
from visatb.locking import hold
from visatb.preflight import check_machine
from visatb.variants import variant_blocks

# Targets are not known yet while rules are read.
LOOKS = "status" in sys.argv[1:]

try:
    for file in workflow.overwrite_configfiles or workflow.configfiles:
        read_yaml(file)  # names the line of a key given twice, which Snakemake lets pass
    EXPERIMENT = Experiment.from_values(config, "the config")
    if workflow.is_main_process and not LOOKS:  # a job on another machine is not the place to refuse the experiment
        check_machine(EXPERIMENT)
except VisatbError as mistake:
    raise WorkflowError(str(mistake)) from None

# Rules call `python $SCRIPTS/<rule>.py`, which finds the library wherever the working directory is; a job in a conda
# environment finds that environment's python first.
os.environ |= {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    "PYTHONPATH": os.pathsep.join([workflow.basedir, *filter(None, [os.environ.get("PYTHONPATH")])]),
    "SCRIPTS": str(Path(workflow.basedir) / "workflow_scripts"),
    "MODEL_PYTHON": EXPERIMENT.config.python or "python",
}
REMARKS = EXPERIMENT.remarks
TRAINED = [run.name for run in EXPERIMENT.trained_runs]
PREPARATION = [run.name for run in EXPERIMENT.preparation_runs if run.name in TRAINED]
SINGLE = [run.name for run in EXPERIMENT.final_runs if run.kind == "single" and run.name not in PREPARATION]
FINAL = [run.name for run in EXPERIMENT.final_runs if run.kind != "single"]
SCORES = [
    f"<results>/scores/{run}/{split}/{task}.parquet"
    for on in ("val", "test")
    for run, split, task in EXPERIMENT.evaluations(on)
]


def one_of(names):
    return "|".join(map(re.escape, names)) or "(?!)"


def answering(all_tasks):
    """The runs that answer all tasks, or some one by one, each where the split of which this is true follows."""
    places = [
        (run, split, EXPERIMENT.asked(run.name, split)) for run in EXPERIMENT.runs.values() for split in run.evaluates
    ]
    wanted = [place for place in places if (len(place[2]) == len(EXPERIMENT.tasks)) == all_tasks]
    return "|".join(f"{re.escape(run.name)}(?=/{split}/)" for run, split, _ in wanted) or "(?!)"


wildcard_constraints:
    run=one_of(EXPERIMENT.runs),
    task=one_of(EXPERIMENT.all_tasks),
    split="train|val|test",
    variant=one_of(EXPERIMENT.config.variants),
