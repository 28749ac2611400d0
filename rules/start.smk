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
from visatb.reporting.categories import Category
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


def pairs(mapping):
    return [f"{name}={value}" for name, value in mapping.items()]


UNTRACKED = {}


def set_untracked(section, values):
    """Hand jobs, in the environment, a section or mapping that must re-run none of them: visatb.runtime.untracked reads it."""
    UNTRACKED[section] = values.model_dump(mode="json") if hasattr(values, "model_dump") else dict(values)
    os.environ["VISATB_UNTRACKED"] = json.dumps(UNTRACKED)


def log_of(name, folder="<results>"):
    return f"{folder}/logs/{name}.log"


def benchmark_of(name, folder="<results>"):
    return f"{folder}/benchmarks/{name}.tsv"


def program(subcommand, flags, python="python"):
    """A job's command: a subcommand `stage rule` of the programs. Progress goes to the terminal, the rest to the log."""
    stage, rule = subcommand.split()
    return f"VISATB_PROGRESS_FD=3 {python} $SCRIPTS/{stage}.py {rule} {flags} 3>&2 > {{log:q}} 2>&1"


def whole_config(wildcards):
    """The config as JSON, for jobs that tell of all of it."""
    return json.dumps(config, separators=(",", ":"))


def reported(path, category, caption, shows=None):
    """A result that the report shows in a category, under the words ``shows``."""
    words = {"shows": shows or caption.replace("_", " ")}
    return report(path, caption=f"../report/{caption}.rst", category=category.title, labels=words)


def figure(name, category, shows=None):
    return reported(f"<results>/figures/{name}.svg", category, name, shows)


def figures(categories):
    """Each figure twice: drawn for the report, and as pixels."""
    pixels = [f"<results>/figures/{name}.png" for name in categories]
    return [figure(name, category) for name, category in categories.items()] + pixels


def run_figures(runs):
    pictures = {run: f"<results>/figures/training/{run}" for run in runs}
    shown = [reported(f"{path}.svg", Category.TRAINING, "run", f"training of {run}") for run, path in pictures.items()]
    return shown + [f"{path}.png" for path in pictures.values()]


def table_pages(categories):
    return [
        reported(f"<results>/tables/{name}.html", category, name, f"{name.replace('_', ' ')} (table)")
        for name, category in categories.items()
    ]
