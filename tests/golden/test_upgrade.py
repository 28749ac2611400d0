"""An experiment that version 0.1 has finished: it goes on as finished, without a step of training or an answer.

What version 0.1 left (`upgrade.yaml`) is kept without logs, and with a base model whose numbers were rounded to a few
values before anything was trained from it, so that it takes little room.
"""

import shutil
from pathlib import Path

import pytest

from tests.golden.adapters import ANSWERING, TRAINING
from tests.golden.archive import unpack
from tests.golden.stored import FIXTURES
from tests.helpers.running import run_workflow, workplace

CONFIG = "tests/golden/upgrade.yaml"
TABLES = ("validation_matrix.tsv", "contributions.tsv", "difficulty.tsv", "weights.tsv", "benchmark.tsv", "summary.txt")
RUNS = ("mini", "plus-caption", "plus-region", "single-caption", "single-region", "ew", "visatb")


@pytest.fixture
def finished_before(tmp_path: Path) -> Path:
    """Return a folder with what version 0.1 has left, at another place than it was made at."""
    folder = workplace(tmp_path / "another" / "place")
    unpack(FIXTURES / "upgrade.tar.xz", folder)
    return folder


def trained_and_answered(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Return the base, and each run's course, finished model and answers: when they were written, and what."""
    runs = folder / "results" / "upgrade" / "runs"
    places = [*runs.glob("*/training.jsonl"), *runs.glob("*/answers/**/*.parquet"), *runs.glob("*/checkpoints/*/**/*")]
    places += (folder / "data" / "models").glob("**/*.safetensors")
    files = [path for path in places if path.is_file()]
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def published(folder: Path) -> dict[str, bytes]:
    """Return the models that runs have published, and the tables."""
    results = folder / "results" / "upgrade"
    files = [results / name for name in TABLES] + [results / "runs" / run / "model/model.safetensors" for run in RUNS]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_finished_experiment_stays_finished(finished_before: Path):
    kept, shown = trained_and_answered(finished_before), published(finished_before)
    assert {name.split("/")[3] for name in kept if name.endswith("training.jsonl")} == set(RUNS)
    assert sum("/answers/" in name for name in kept) == 12
    run_workflow(finished_before, configfile=CONFIG)
    assert trained_and_answered(finished_before) == kept
    assert published(finished_before) == shown


def test_a_model_and_answers_that_were_lost_are_published_again(finished_before: Path):
    kept, shown = trained_and_answered(finished_before), published(finished_before)
    results = finished_before / "results" / "upgrade"
    shutil.rmtree(results / "runs" / "mini" / "model")
    shutil.rmtree(results / "predictions" / "mini")
    wanted = ["results/upgrade/runs/mini/model", "results/upgrade/predictions/mini/val/caption.parquet"]
    run_workflow(finished_before, "--", *wanted, configfile=CONFIG)
    assert trained_and_answered(finished_before) == kept
    assert published(finished_before) == shown


@pytest.mark.slow
def test_all_jobs_started_again_train_and_answer_nothing(finished_before: Path):
    kept, shown = trained_and_answered(finished_before), published(finished_before)
    run_workflow(finished_before, "--forcerun", *TRAINING, *ANSWERING, configfile=CONFIG)
    assert trained_and_answered(finished_before) == kept
    assert published(finished_before) == shown
