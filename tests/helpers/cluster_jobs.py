"""The workflow on a cluster: its jobs, and waiting for them."""

import re
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from tests.helpers.cluster import Cluster

TWO_TASKS = "tests/slurm/two-tasks.yaml"


RESULTS = Path("results/two-tasks")


Start = Callable[..., Cluster]


Snakemake = Callable[..., subprocess.Popen]


def jobs_of(cluster: Cluster) -> list[dict[str, str]]:
    """Return what the scheduler knows about its jobs, oldest first; the rule and wildcards are the ``Comment``."""
    listing = cluster.output_of("scontrol", "show", "job", "--oneliner").splitlines()
    jobs = [dict(re.findall(r"(\S+?)=(\S*)", line)) for line in listing if "JobId=" in line]
    return sorted(jobs, key=lambda job: int(job["JobId"]))


def finish(process: subprocess.Popen, folder: Path, status: int = 0) -> str:
    """Wait for a Snakemake and return what it printed."""
    process.wait(timeout=1800)
    printed = (folder / "printed.txt").read_text()
    assert process.returncode == status, printed
    return printed


def wait_until(true: Callable[[], object], folder: Path) -> None:
    deadline = time.monotonic() + 600
    while not true():
        assert time.monotonic() < deadline, (folder / "printed.txt").read_text()
        time.sleep(0.2)
