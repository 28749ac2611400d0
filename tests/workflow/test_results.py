"""The small demo, run for real: are its tables what its answers and scores say, recomputed by other means?"""

import csv
import importlib.metadata
import json
import math
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors import safe_open

from tests.helpers.running import dry_run, run_workflow
from visatb.runtime.locking import hold

TASKS = ("caption", "vqa", "gqa", "region")
EXACT = ("vqa", "gqa")


@pytest.fixture
def results(finished: Path) -> Path:
    return finished / "results" / "demo-small"


def table(path: Path, index: str) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t").set_index(index)


def test_everything_that_people_read_is_there(results: Path, finished: Path):
    figures = ("contributions", "difficulty", "data_amount", "weights", "training", "benchmark", "radar", "cost")
    for name in (*figures, "training/mini", "training/single-vqa", "training/visatb"):
        ElementTree.parse(results / "figures" / f"{name}.svg")
        assert (results / "figures" / f"{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "| VisATB" in (results / "benchmark.md").read_text()
    for name in ("benchmark", "weights", "data"):
        assert "\\toprule" in (results / f"{name}.tex").read_text()
    output = (finished / "output.txt").read_text()
    assert (results / "summary.txt").read_text() in output, "the summary is shown at the end"
    assert "The plan of the experiment 'demo-small'" in output
    assert "[plus-vqa] step" in output
    assert "ETA" in output


def test_the_plan_counts_what_was_trained(results: Path):
    plan = table(results / "plan.tsv", "run")
    for run in plan.index:
        assert plan.loc[run, "samples"] == len(pa.ipc.open_file(results / "mixtures" / f"{run}.arrow").read_all())
        last = json.loads((results / "runs" / run / "training.jsonl").read_text().splitlines()[-1])
        assert last["step"] == last["steps"] == plan.loc[run, "steps"]


def test_it_took_what_the_histories_and_jobs_say(results: Path):
    cost, plan = table(results / "cost_runs.tsv", "run"), table(results / "plan.tsv", "run")
    assert cost["steps"].to_dict() == cost["planned_steps"].to_dict() == plan["steps"].to_dict()
    assert (cost["attempts"] == 1).all()
    jobs = pd.read_csv(results / "benchmarks/train/ew.tsv", sep="\t")
    assert cost.loc["ew", "training_job_hours"] == pytest.approx(jobs["s"].item() / 3600, rel=1e-5)
    assert 0 < cost.loc["ew", "training_hours"] < cost.loc["ew", "training_job_hours"]
    assert table(results / "cost_jobs.tsv", "rule").loc["train", "jobs"] == len(plan)


def test_where_it_comes_from_is_written_down(results: Path):
    found = json.loads((results / "provenance.json").read_text())
    assert found["packages"]["torch"].split("+")[0] == importlib.metadata.version("torch").split("+")[0]
    described = [json.loads(path.read_text()) for path in (results / "runs").glob("*/checkpoints/*/training.json")]
    assert found["base model"]["fingerprint"] == [described[0]["base"]]
    assert {one["sha256"] for one in found["mixtures"].values()} == {one["mixture"] for one in described}


def test_the_plan_is_made_before_anything_is_trained_and_tells_its_tokens(results: Path, finished: Path):
    output = (finished / "output.txt").read_text()
    assert output.index("The plan of the experiment") < output.index("[mini] step")
    plan = table(results / "plan.tsv", "run")
    for run in plan.index:
        lines = [json.loads(line) for line in (results / "runs" / run / "training.jsonl").read_text().splitlines()]
        read = sum(line["input_tokens"] for line in lines)
        # Samples are the same, and so are their tokens; padding differs with the order.
        least = plan.loc[run, "tokens"] - plan.loc[run, "padding"]
        assert least <= read <= least + 2 * plan.loc[run, "padding"]
        assert read == pytest.approx(plan.loc[run, "tokens"], rel=0.02)
        model = results / "runs" / run / "model" / "model.safetensors"
        assert plan.loc[run, "disk_gb"] * 1e9 == pytest.approx(model.stat().st_size, rel=0.05)
        assert len(list((results / "runs" / run / "tensorboard").glob("events.*"))) == 1
    ledger = table(results / "token_ledger.tsv", "task")
    tokens = [json.loads(line) for line in (results / "runs/ew/training.jsonl").read_text().splitlines()]
    assert sum(line["tokens"] for line in tokens) == ledger["supervised"].sum()
    assert ledger["share"].sum() == pytest.approx(1, abs=1e-5)


def test_status_of_the_finished_experiment_beside_a_running_one(copied: Path):
    held = hold(copied / "results" / "demo-small", "a running workflow")
    try:
        text = run_workflow(copied, "--cores", "1", "status")
    finally:
        held.release()
    assert "demo-small: process" in text
    assert "Trainings: 11 done." in text
    assert "Failed" not in text


def test_a_given_throughput_makes_nothing_but_the_plan_again(finished: Path):
    assert dry_run(finished, "--config", "throughput={training: 1000}") == set()


def test_mixtures_are_nested_and_whole(results: Path):
    def rows(run: str) -> set[tuple[str, str]]:
        mixture = pa.ipc.open_file(results / "mixtures" / f"{run}.arrow").read_all().to_pydict()
        return set(zip(mixture["task"], mixture["id"], strict=True))

    mini, everything = rows("mini"), rows("ew")
    assert rows("visatb") == everything
    for task in TASKS:
        plus = rows(f"plus-{task}")
        assert mini < plus < everything
        assert {t for t, _ in plus - mini} == {task}
        assert rows(f"single-{task}") == {row for row in everything if row[0] == task}


def test_exact_match_by_hand(results: Path):
    matrix = table(results / "validation_matrix.tsv", "run")
    for run in matrix.index:
        for task in EXACT:
            answers = pq.read_table(results / "predictions" / run / "val" / f"{task}.parquet").to_pylist()
            truths = json.loads((results.parents[1] / "data" / "demo-small" / task / "val.json").read_text())
            said = {row["id"]: row["prediction"] for row in answers}
            hits = [said[t["id"]].strip().lower() == t["conversations"][1]["value"].strip().lower() for t in truths]
            assert matrix.loc[run, task] == pytest.approx(100 * np.mean(hits), abs=1e-3)


def test_weights_follow_from_the_matrix(results: Path):
    """Eq. 3-8 once more, in plain loops, from the six digits of the matrix as it is written."""
    rows = {row["run"]: row for row in csv.DictReader((results / "validation_matrix.tsv").open(), delimiter="\t")}
    V = {run: {task: float(row[task]) for task in TASKS} for run, row in rows.items()}
    weights = table(results / "weights.tsv", "task")
    learned = [task for task in TASKS if pd.isna(weights.loc[task, "note"])]
    assert len(learned) >= 3, "most tasks of the small demo are learned"

    def softmax(values: list[float]) -> list[float]:
        exponentials = [math.exp(value / 0.5) for value in values]
        return [len(values) * e / sum(exponentials) for e in exponentials]

    C = {
        i: {j: (V[f"plus-{i}"][j] - V["mini"][j]) / (V[f"plus-{j}"][j] - V["mini"][j]) for j in learned} for i in TASKS
    }
    C_out = {i: np.mean([C[i][j] for j in learned if j != i]) for i in TASKS}
    C_in = {j: np.mean([C[i][j] for i in TASKS if i != j]) for j in learned}
    D = {i: 1 - V["mini"][i] / V[f"plus-{i}"][i] for i in learned}
    for task in TASKS:  # a task that was not learned takes the others' mean
        C_in.setdefault(task, np.mean([C_in[j] for j in learned]))
        D.setdefault(task, np.mean([D[j] for j in learned]))
    parts = [softmax([C_out[t] for t in TASKS]), softmax([-C_in[t] for t in TASKS]), softmax([D[t] for t in TASKS])]
    for task, outward, inward, difficulty in zip(TASKS, *parts, strict=True):
        expected = 0.25 * outward + 0.25 * inward + 0.5 * difficulty
        assert weights.loc[task, "weight"] == pytest.approx(expected, rel=1e-3)
        assert weights.loc[task, "weight_low"] <= weights.loc[task, "weight_high"]
    assert weights["weight"].sum() == pytest.approx(len(TASKS), abs=1e-4)


def test_the_benchmark_follows_from_the_test_scores(results: Path):
    scores = pd.read_csv(results / "test_scores.tsv", sep="\t").set_index(["run", "task"])["value"]
    benchmark = table(results / "benchmark.tsv", "method")
    compared = [task for task in TASKS if scores[f"single-{task}", task] > 0]
    for method in ("ew", "visatb"):
        gains = [scores[method, task] / scores[f"single-{task}", task] - 1 for task in compared]
        assert benchmark.loc[method, "dI"] == pytest.approx(100 * np.mean(gains), abs=1e-2)
        assert benchmark.loc[method, "dE"] == pytest.approx(100 * np.mean([max(0, -g) for g in gains]), abs=1e-2)


def test_the_final_model_was_trained_with_these_weights(results: Path):
    weights = table(results / "weights.tsv", "task")["weight"].to_dict()
    history = [json.loads(line) for line in (results / "runs" / "visatb" / "training.jsonl").read_text().splitlines()]
    assert history[-1]["weights"] == pytest.approx(weights, rel=1e-5)
    assert set(history[-1]["task_loss"]) == set(TASKS)
    with (
        safe_open(results / "runs" / "visatb" / "model" / "model.safetensors", "pt") as weighted,
        safe_open(results / "runs" / "ew" / "model" / "model.safetensors", "pt") as equal,
    ):
        assert weighted.keys() == equal.keys()
        assert any((weighted.get_tensor(k) != equal.get_tensor(k)).any() for k in weighted.keys())  # noqa: SIM118


def test_only_safe_files_are_in_a_model_folder(results: Path):
    names = {path.name for path in (results / "runs").rglob("model/*")} - {".snakemake_timestamp"}
    suffixes = {Path(name).suffix for name in names}
    assert suffixes <= {".json", ".safetensors", ".jinja"}


def test_the_report_is_one_offline_page(copied: Path):
    run_workflow(copied, "--report", "report.html")
    page = (copied / "report.html").read_text()
    for caption in ("Contribution", "validation", "weight"):
        assert caption in page
    assert "<script src=" not in page
    assert '<link rel="stylesheet" href="http' not in page
