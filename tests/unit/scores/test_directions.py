"""A metric that is better lower, from its declaration through matrix, weights, table and figure."""

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from tests.helpers.paths import SCRIPTS
from visatb.balancing.jobs import MatrixJob, WeightsJob
from visatb.config.balancing import BalanceSettings
from visatb.reporting.figures import benchmark as figure
from visatb.runtime.cli import as_json
from visatb.runtime.files import read_table, write_parquet
from visatb.scores.jobs import BenchmarkJob
from visatb.scores.metrics import METRICS, Metric, SampleScores, exact_match
from visatb.scores.scoring import score_predictions

COLUMNS = ["--column", "a:EM", "b:errors"]
SINGLE = {"a": "single-a", "b": "single-b"}
METRICS_OF = {"a": ["EM"], "b": ["errors"]}
RIGHT = {  # run -> share of right answers in tasks a and b
    "mini": (0.30, 0.40),
    "plus-a": (0.60, 0.50),
    "plus-b": (0.36, 0.80),
    "single-a": (0.50, 0.0),
    "single-b": (0.0, 0.60),
    "ew": (0.55, 0.70),
    "visatb": (0.60, 0.45),
}
SAMPLES = 400


def errors(predictions: list[str], truths: list[list[str]]) -> SampleScores:
    right = exact_match(predictions, truths)
    return SampleScores(100.0 - right.numerators, right.denominators, right.valid)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(METRICS, "errors", Metric("errors", 1, False, errors))
    for run, shares in RIGHT.items():
        split = "val" if run.startswith(("mini", "plus")) else "test"
        for task, metric, share in zip("ab", ("EM", "errors"), shares, strict=True):
            scores = score_predictions(answers(share), [metric])
            write_parquet(Path("scores", run, split, f"{task}.parquet"), scores)
    return tmp_path


def answers(share: float) -> pa.Table:
    right = np.random.default_rng(int(1000 * share)).permutation(SAMPLES) < round(share * SAMPLES)
    return pa.table(
        {
            "id": [f"s{n}" for n in range(SAMPLES)],
            "image": [f"{n}.png" for n in range(SAMPLES)],
            "prediction": ["yes" if one else "no" for one in right],
            "truths": [["yes"]] * SAMPLES,
            "finish_reason": ["stop"] * SAMPLES,
        }
    )


def run(script: str, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [script, *arguments])
    runpy.run_path(str(SCRIPTS / f"{script}.py"), run_name="__main__")


def test_matrix_and_weights(folder: Path, monkeypatch: pytest.MonkeyPatch):
    collect = MatrixJob(metrics=METRICS_OF, runs={"mini": [], "plus-a": [], "plus-b": ["a", "b"]})
    matrix = ["--job", as_json(collect), "--scores", "scores", "--matrix", "V.tsv", "--tidy", "t.tsv"]
    run("balancing", "collect_validation_matrix", *matrix, monkeypatch=monkeypatch)
    V = read_table("V.tsv").set_index("run")
    assert V.loc["mini"].tolist() == pytest.approx([30, 60]), "the matrix holds scores as their metrics give them"
    assert V.loc["plus-b"].tolist() == pytest.approx([36, 20])
    settings = BalanceSettings(temperature=1)
    job = WeightsJob(metrics=METRICS_OF, groups={"a": ["a"], "b": ["b"]}, settings=settings, bootstrap=50, seed=0)
    weigh = ["--job", as_json(job), "--scores", "scores", "--output", "."]
    run("balancing", "compute_weights", *weigh, monkeypatch=monkeypatch)
    C = read_table("contributions.tsv").set_index("from")
    assert C.loc["a", "b"] == pytest.approx((60 - 50) / (60 - 20)), "fewer errors: a helps b"
    assert C.loc["b", "a"] == pytest.approx((36 - 30) / (60 - 30))
    D = read_table("difficulty.tsv").set_index("group")["D"]
    assert D["a"] == pytest.approx(1 - 30 / 60)
    assert D["b"] == pytest.approx(1 - 20 / 60), "Eq. 6 with the ratio turned over"
    assert read_table("weights.tsv")["note"].isna().all(), "b has learned: its errors went down"


def test_benchmark_and_its_figure(folder: Path, monkeypatch: pytest.MonkeyPatch):
    job = BenchmarkJob(methods=["stl", "ew", "visatb"], metrics=METRICS_OF, bootstrap=50, seed=0, single=SINGLE)
    outputs = ["--table", "benchmark.tsv", "--tidy", "t.tsv", "--intervals", "i.tsv"]
    words = ["--job", as_json(job), "--scores", "scores", *outputs]
    run("scores", "collect_benchmark", *words, monkeypatch=monkeypatch)
    table = read_table("benchmark.tsv").set_index("method")
    gains = {"ew": (5 / 50, 10 / 40), "visatb": (10 / 50, -15 / 40)}
    for method, change in gains.items():
        assert table.loc[method, "dI"] == pytest.approx(100 * np.mean(change), rel=1e-5)
        assert table.loc[method, "dE"] == pytest.approx(100 * np.mean(np.maximum(0, -np.array(change))), abs=1e-4)
    metrics = {"a": ["EM"], "b": ["errors"]}
    job = json.dumps({"metrics": metrics, "groups": {"a": ["a"], "b": ["b"]}})
    typeset = ["typeset_benchmark", "--job", job, "--benchmark", "benchmark.tsv", "--output", "benchmark.md"]
    run("reporting", *typeset, monkeypatch=monkeypatch)
    head, _, *rows = Path("benchmark.md").read_text().splitlines()
    assert "b<br>errors ↓" in head
    assert "a<br>EM ↑" in head
    cells = {row.split("|")[1].strip(): row.split("|")[3].strip() for row in rows}
    assert cells == {"STL": "40.00", "EW": "**30.00**", "VisATB": "<u>55.00</u>"}
    drawn: list[pd.DataFrame] = []
    draw = figure._draw
    monkeypatch.setattr(figure, "_draw", lambda axes, change: drawn.append(change) or draw(axes, change))
    plot = ["plot_benchmark", "--job", json.dumps({"metrics": metrics}), "--benchmark", "benchmark.tsv"]
    run("reporting", *plot, "--folder", "figures", monkeypatch=monkeypatch)
    assert drawn[0].iloc[0, :2].tolist() == pytest.approx([10, 25]), "to the right is better"
    assert drawn[0].iloc[1, :2].tolist() == pytest.approx([20, -37.5])
