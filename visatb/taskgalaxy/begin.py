"""What comes before a workflow's first job: keys are looked for, the plan is told, the data set is held."""

import sys
from collections.abc import Set
from pathlib import Path

from filelock import SoftFileLease

from visatb.config.taskgalaxy import TaskGalaxyConfig
from visatb.runtime.locking import hold
from visatb.taskgalaxy.connections import require_keys
from visatb.taskgalaxy.funnel import STAGES
from visatb.taskgalaxy.plan import format_plan, planned

ASKING = ("expand_types", "filter_types", "write_questions", "vote")
"""The stages that send requests."""


def before_jobs(config: TaskGalaxyConfig, jobs: Set[str]) -> SoftFileLease | None:
    """Look for keys and print the plan where something would be asked, and be alone with the data set.

    Args:
        config: the section.
        jobs: names of the rules that are to run.

    Returns:
        The lock on the data set, to be kept as long as jobs run; None where no job changes it.

    Raises:
        VisatbError: a key is missing, or somebody else is at work on the data set.
    """
    folder = Path(config.folder)
    if not jobs.isdisjoint(ASKING):
        require_keys(config)
    if not jobs.isdisjoint((*ASKING, "taskgalaxy_plan")):
        text = format_plan(planned(config), config.budget)
        print(f"\nThe plan of {folder}:\n\n{text}\n", file=sys.stderr, flush=True)
    if not jobs.isdisjoint(stage for stage, _ in STAGES):
        return hold(folder, f"data set {folder}")
    return None
