"""What an experiment took: sums over measurements and histories that are known, and the parts that are missing."""

import json
from pathlib import Path

import pandas as pd
import pytest

from visatb.planning.measured_costs import job_measurements, jobs_cost, runs_cost, training_cost

HEADER = "s\th:m:s\tmax_rss\tmax_vms\tmax_uss\tmax_pss\tio_in\tio_out\tmean_load\tcpu_time\n"


def measured(path: Path, seconds: float, memory: str = "2000.00", cpu: float = 0.0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{HEADER}{seconds}\t0:00:00\t{memory}\t0\t0\t0\t0\t0\t0\t{cpu}\n")


def line(step: int, attempt: int, tokens: float = 600.0, speed: float = 60.0) -> dict[str, object]:
    return {"step": step, "loss": 1.0, "tokens": tokens, "tokens_per_second": speed, "attempt": attempt}


@pytest.fixture
def benchmarks(tmp_path: Path) -> Path:
    folder = tmp_path / "benchmarks"
    measured(folder / "train/ew.tsv", 7200, "9000.00", 6000)
    measured(folder / "train/mini.tsv", 720, "NA")
    measured(folder / "predict/ew.test.tsv", 360)
    measured(folder / "predict/mini.val.tsv", 36)
    measured(folder / "predict/single-a.test.a.tsv", 18)
    measured(folder / "plan.tsv", 3.6)
    return folder


def test_jobs_are_summed_by_rule_and_over_all(benchmarks: Path):
    table = jobs_cost(job_measurements(benchmarks)).set_index("rule")
    assert table.index.tolist() == ["train", "predict", "plan", "all"]
    assert table["jobs"].tolist() == [2, 3, 1, 6]
    assert table["hours"].tolist() == pytest.approx([2.2, 0.115, 0.001, 2.316])
    assert table["peak_memory_gb"].tolist() == [9, 2, 2, 9]


def test_all_attempts_count():
    """The second attempt goes on from step 20 and does ten steps again."""
    log = [line(1, 1), line(10, 1), line(20, 1), line(30, 1), line(21, 2, tokens=60), line(30, 2), line(40, 2)]
    found = training_cost(log)
    assert found == {"attempts": 2, "steps": 50, "supervised_tokens": 3660, "training_hours": pytest.approx(61 / 3600)}


def test_what_was_planned_stands_beside_what_it_took(benchmarks: Path, tmp_path: Path):
    history = tmp_path / "runs/ew/training.jsonl"
    history.parent.mkdir(parents=True)
    history.write_text("".join(json.dumps(line(step, 1)) + "\n" for step in (1, 10, 20)))
    plan = pd.DataFrame({"run": ["base", "ew"], "kind": ["base", "ew"], "steps": [0, 20], "gpu_hours": [0.0, 4.5]})
    base, ew = runs_cost(plan, {"ew": history}, job_measurements(benchmarks), {"ew": 4}).to_dict("records")
    assert (ew["planned_steps"], ew["steps"], ew["planned_gpu_hours"]) == (20, 20, 4.5)
    assert ew["training_hours"] == pytest.approx(30 / 3600)
    assert ew["gpu_hours"] == pytest.approx(4 * 30 / 3600)
    assert (ew["training_job_hours"], ew["prediction_hours"], ew["peak_memory_gb"]) == (2, 0.1, 9)
    assert all(pd.isna(base[name]) for name in ("steps", "training_hours", "prediction_hours")), "base trains nothing"


def test_names_that_begin_alike_are_kept_apart(benchmarks: Path):
    measured(benchmarks / "predict/single-a2.test.a2.tsv", 3600)
    plan = pd.DataFrame({"run": ["single-a"], "kind": ["single"], "steps": [1]})
    assert runs_cost(plan, {}, job_measurements(benchmarks), {})["prediction_hours"].item() == 18 / 3600
