"""The small demo's tables, made again from scores alone: byte for byte what they were.

The scores are those of answers that were drawn, true or of another sample by chance, in place of tiny models' own.

Tables do not depend on the CPU: they were the same with ``NPY_DISABLE_CPU_FEATURES=X86_V3``, and with
``OPENBLAS_CORETYPE`` Haswell and Prescott. Of `balancing.json`, which
holds all digits, Prescott moves the largest half-width by 5e-17.
"""

import json
from pathlib import Path

import pytest

from tests.golden.adapters import SCORES_TO_TABLES
from tests.golden.archive import unpack
from tests.golden.stored import FIXTURES
from tests.helpers.running import run_workflow, workplace

ALL_DIGITS = {"balancing.json": "largest_half_width"}
"""Files with a number that is not rounded, and its name."""
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


@pytest.mark.parametrize("name", [name for name in TABLES if name not in ALL_DIGITS])
def test_tables_are_what_they_were(made: Path, name: str):
    assert (made / name).read_bytes() == (FIXTURES / "tables" / name).read_bytes()


@pytest.mark.parametrize(("name", "number"), ALL_DIGITS.items())
def test_numbers_with_all_digits_are_what_they_were(made: Path, name: str, number: str):
    found, before = (json.loads((folder / name).read_text()) for folder in (made, FIXTURES / "tables"))
    assert found.pop(number) == pytest.approx(before.pop(number), rel=1e-12)
    assert list(found.items()) == list(before.items())
