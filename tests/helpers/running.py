"""Runs the workflow in a folder apart from the repository."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers import warm
from tests.helpers.paths import REPOSITORY

SMALL = "tests/workflow/small.yaml"
TINY = "tests/workflow/tiny.yaml"


def command(folder: Path, *arguments: str, configfile: str = SMALL, code: Path = REPOSITORY) -> list[str]:
    """Return the command line that runs the workflow of ``code`` in ``folder``."""
    return [
        str(Path(sys.executable).with_name("snakemake")),
        *("--snakefile", str(code / "Snakefile"), "--directory", str(folder)),
        *("--workflow-profile", str(code / "profiles" / "default")),
        *("--configfile", configfile, *arguments),
    ]


def with_warm_jobs(line: list[str]) -> list[str]:
    """Return a command line of snakemake that starts as people's does, but whose jobs' programs are forks (`warm`)."""
    start = f"import sys; sys.executable = {warm.python()!r}; from snakemake.cli import main; main()"
    return [sys.executable, "-c", start, *line[1:]]


def run_workflow(
    folder: Path, *arguments: str, configfile: str = SMALL, code: Path = REPOSITORY, cold: bool = False
) -> str:
    """Run the workflow in ``folder`` and return what it printed; anything but success fails the test.

    Its programs are forks of one that has imported the libraries (`warm`), unless they are to be started as people do
    (``cold``) or are those of another checkout.
    """
    line = command(folder, *arguments, configfile=configfile, code=code)
    line = line if cold or code != REPOSITORY else warm.started_warm(line)
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(line)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
    return done.stdout + done.stderr


ACCOUNTS = {"plan", "show_tables", "show_final_tables", "collect_cost", "collect_provenance"}
"""Jobs that tell of the whole config, or of the plan, which does: of each change in it."""


def dry_run(folder: Path, *arguments: str, configfile: str = SMALL, code: Path = REPOSITORY) -> set[str]:
    """Return the jobs that a dry run names, without `ACCOUNTS`."""
    printed = run_workflow(folder, "--dry-run", *arguments, configfile=configfile, code=code)
    return set(re.findall(r"^  ([a-z_]+(?: [^\s:]+)*): ", printed, re.MULTILINE)) - {"all"} - ACCOUNTS


def workplace(folder: Path, base: Path | None = None) -> Path:
    """Make ``folder`` a place to run the workflow in; ``base`` is the folder of a base model that is there already."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config", "tests"):
        (folder / name).symlink_to(REPOSITORY / name)
    if base:
        shutil.copytree(base, folder / "data" / "models" / base.name)
    return folder
