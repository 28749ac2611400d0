"""A finished experiment to look at, and copies of it to change."""

import subprocess
from pathlib import Path

import pytest

from tests.helpers.running import run_workflow, workplace
from tests.helpers.sharing import Shared


@pytest.fixture(scope="session")
def finished(shared: Shared) -> Path:
    """Return a folder in which the small demo has run to its end. Look, do not touch."""

    def fill(folder: Path) -> None:
        (workplace(folder) / "output.txt").write_text(run_workflow(folder))

    return shared("finished", fill)


@pytest.fixture
def copied(finished: Path, tmp_path: Path) -> Path:
    """Return a copy of the finished experiment that a test may change."""
    target = tmp_path / "copy"
    subprocess.run(["cp", "-a", str(finished), str(target)], check=True)
    return target
