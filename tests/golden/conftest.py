"""A finished small demo to look at: the one that the workflow's tests look at too."""

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
