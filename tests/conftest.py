"""Settings for every test, and what several of them look at: made once for all test processes."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

from tests.helpers.running import TINY, run_workflow, workplace
from tests.helpers.sharing import Shared, sharing

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How long one example takes says nothing on a machine that does other things too.
settings.register_profile("shared machine", deadline=None)
settings.load_profile("shared machine")


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Shared:
    """Return a function that gives a folder by name, filled by the first test process that asks for it."""
    return sharing(tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def tiny_base(shared: Shared) -> Path:
    """Return the base model of the smallest experiment, made once. Look, do not touch."""
    model = Path("data/models/tiny-test")
    made = shared("tiny-base", lambda folder: run_workflow(workplace(folder), "--", str(model), configfile=TINY))
    return made / model


@pytest.fixture(scope="session")
def tiny(shared: Shared, tiny_base: Path) -> Path:
    """Return a folder in which the smallest experiment has run to its end. Look, do not touch."""
    return shared("tiny", lambda folder: run_workflow(workplace(folder, tiny_base), configfile=TINY))
