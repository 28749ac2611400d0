"""Untrained tiny models of both families as base checkpoints."""

from pathlib import Path

import pytest

from tests.helpers.training_examples import save_tiny
from visatb.models.families import FAMILIES


@pytest.fixture(scope="module", params=FAMILIES)
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def base(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(family, tmp_path_factory.mktemp(family) / "base")
