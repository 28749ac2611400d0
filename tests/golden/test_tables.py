"""The small demo's tables, made again from its scores alone: byte for byte what they were."""

from pathlib import Path

import pytest
from adapters import SCORES_TO_TABLES
from archive import unpack
from running import run_workflow, workplace
from stored import FIXTURES

TABLES = sorted(path.name for path in (FIXTURES / "tables").glob("*"))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of results in which the tables were made from scores."""
    folder = workplace(tmp_path_factory.mktemp("tables") / "small")
    unpack(FIXTURES / "small-scores.tar.xz", folder)
    results = folder / "results" / "demo-small"
    wanted = [str((results / name).relative_to(folder)) for name in TABLES]
    run_workflow(folder, "--allowed-rules", *SCORES_TO_TABLES, "--", *wanted)
    return results


@pytest.mark.parametrize("name", TABLES)
def test_tables_are_what_they_were(made: Path, name: str):
    assert (made / name).read_bytes() == (FIXTURES / "tables" / name).read_bytes()
