# What all rules stand on: the library, the config as it is written, programs, and options on command lines.

import json
import os
import re
import shlex
import sys
from pathlib import Path

sys.path.insert(0, workflow.basedir)

from visatb.config.loading import read_yaml
from visatb.experiment.checks.taskgalaxy import checked_data_set, makes_data_alone
from visatb.errors import VisatbError
from visatb.runtime.cli import as_json
from visatb.runtime.locking import hold
from visatb.runtime.patterns import one_of

try:
    for file in workflow.overwrite_configfiles or workflow.configfiles:
        read_yaml(file)  # names the line of a key given twice, which Snakemake lets pass
    # A config without an experiment makes a data set alone, and needs no model.
    DATA_SET = checked_data_set(config, "the config") if makes_data_alone(config) else None
except VisatbError as mistake:
    raise WorkflowError(str(mistake)) from None

# Rules call `python $SCRIPTS/<stage>.py <rule>`, which finds the library wherever the working directory is; a job in a conda
# environment finds that environment's python first.
os.environ |= {
    "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]),
    "PYTHONPATH": os.pathsep.join([workflow.basedir, *filter(None, [os.environ.get("PYTHONPATH")])]),
    "SCRIPTS": str(Path(workflow.basedir) / "workflow_scripts"),
}


def options(**values):
    """Command-line options: learning_rate=0.1 becomes --learning-rate 0.1; None and False are left out."""
    words = []
    for name, value in values.items():
        if value is None or value is False or value == [] or value == ():
            continue
        words.append(f"--{name.replace('_', '-')}")
        if value is not True:
            words += map(str, value) if isinstance(value, (list, tuple)) else [str(value)]
    return shlex.join(words)


def pairs(mapping):
    return [f"{name}={value}" for name, value in mapping.items()]


UNTRACKED = {}


def set_untracked(section, values):
    """Hand jobs, in the environment, a section or mapping that must re-run none of them: visatb.runtime.untracked reads it."""
    UNTRACKED[section] = values.model_dump(mode="json") if hasattr(values, "model_dump") else dict(values)
    os.environ |= {"VISATB_UNTRACKED": json.dumps(UNTRACKED)}


def log_of(name):
    return f"<results>/logs/{name}.log"


def benchmark_of(name):
    return f"<results>/benchmarks/{name}.tsv"


def program(subcommand, flags, python="python"):
    """A job's command: a subcommand `stage rule` of the programs. Progress goes to the terminal, the rest to the log."""
    stage, rule = subcommand.split()
    return f"VISATB_PROGRESS_FD=3 {python} $SCRIPTS/{stage}.py {rule} {flags} 3>&2 > {{log:q}} 2>&1"
