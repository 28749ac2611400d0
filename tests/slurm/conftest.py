"""A cluster for a test, and the workflow on it."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers import warm
from tests.helpers.cluster import Cluster, missing
from tests.helpers.running import command


@pytest.fixture
def start_cluster() -> Iterator[Callable[..., Cluster]]:
    """Return what starts a cluster, which ends with the test."""
    clusters: list[Cluster] = []

    def start(accounting: bool = False) -> Cluster:
        if absent := missing(accounting):
            pytest.skip(f"no Slurm here: {', '.join(absent)} not installed; bash tests/slurm/install.sh does it")
        if accounting and os.getuid():
            pytest.skip("a database for accounting is started by root only")
        # Not in pytest's own folder: names of sockets must be short.
        clusters.append(Cluster(Path(tempfile.mkdtemp(prefix="slurm-")), accounting=accounting))
        clusters[-1].start()
        return clusters[-1]

    yield start
    for cluster in clusters:
        cluster.stop()
        shutil.rmtree(cluster.root, ignore_errors=True)


@pytest.fixture
def on_cluster() -> Callable[..., subprocess.Popen]:
    """Return what starts ``snakemake --profile slurm`` in a folder, its output going to ``printed.txt`` there.

    Where nothing befalls its jobs, they may be forks of a warm process (``is_warm``), beyond the scheduler's reach.
    """

    def start(
        cluster: Cluster, folder: Path, *arguments: str, configfile: str, is_warm: bool = False, **variables: str
    ) -> subprocess.Popen:

        line = command(
            folder,
            # In the place of the profile's own limits: one that a retry comes up against.
            *("--profile", "slurm", "--config", "resources={max_runtime: 20}"),
            *("--slurm-init-seconds-before-status-checks", "7", "--latency-wait", "30"),
            *arguments,
            configfile=configfile,
        )
        # Jobs are given GPUs that are none, and compute without.
        environment = os.environ | cluster.environment | {"ACCELERATE_USE_CPU": "true"} | variables
        with (folder / "printed.txt").open("w") as printed:
            line = warm.started_warm(line) if is_warm else line
            return subprocess.Popen(line, cwd=folder, env=environment, stdout=printed, stderr=printed)

    return start
