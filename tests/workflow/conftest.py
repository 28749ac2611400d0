"""A finished experiment to look at, and copies of it to change."""

import subprocess
from pathlib import Path

import pytest
from filelock import FileLock
from running import run_workflow, workplace


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """Return a folder in which the small demo has run to its end. Look, do not touch."""
    base = tmp_path_factory.getbasetemp()
    shared = base if worker_id == "master" else base.parent  # one run serves all test processes
    folder = shared / "finished"
    with FileLock(shared / "finished.lock"):
        if not folder.is_dir():
            (workplace(folder) / "output.txt").write_text(run_workflow(folder))
    return folder


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished experiment that a test may change."""
    target = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(finished), str(target)], check=True)
    return target
