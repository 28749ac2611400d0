"""An experiment that looks finished to Snakemake though nothing was computed: for what is only seen in dry runs."""

import re
from pathlib import Path

from tests.helpers.running import run_workflow


def pretend_finished(folder: Path, *targets: str, configfile: str) -> None:
    """Make empty files of all outputs on the way to ``targets``, and let Snakemake note them as made of today's config.

    Args:
        folder: a workplace (`tests.helpers.running.workplace`).
        targets: files or rules.
        configfile: the experiment.
    """
    summary = run_workflow(folder, "--summary", *targets, configfile=configfile)
    for path in re.findall(r"^(\S+)\t", summary, re.MULTILINE)[1:]:
        place = folder / path
        if place.suffix:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.touch()
        else:
            place.mkdir(parents=True, exist_ok=True)
    run_workflow(folder, "--touch", "--forceall", *targets, configfile=configfile)
