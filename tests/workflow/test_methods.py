"""All methods and three ways to measure weights, run for real; and what a change in one of them makes again."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.helpers.running import dry_run, run_workflow, workplace
from tests.helpers.sharing import Shared

METHODS = "tests/workflow/methods.yaml"
TASKS = ("caption", "region")
ROWS = ["stl", "ew", "tla", "rlw", "dwa", "igbv1", "visatb", "visatb-T1", "cotbal", "simple"]


@pytest.fixture(scope="session")
def compared(shared: Shared, tiny_base: Path) -> Path:
    def fill(folder: Path) -> None:
        (workplace(folder, tiny_base) / "output.txt").write_text(run_workflow(folder, configfile=METHODS))

    return shared("compared", fill)


@pytest.fixture
def results(compared: Path) -> Path:
    return compared / "results" / "methods"


def history(results: Path, run: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (results / "runs" / run / "training.jsonl").read_text().splitlines()]


def table(path: Path, index: str) -> pd.DataFrame:
    return pd.read_csv(path, sep="\t").set_index(index)


def softmax(values: Any, temperature: float) -> Any:
    exponentials = np.exp(np.asarray(values) / temperature)
    return len(values) * exponentials / exponentials.sum()


def test_every_method_is_a_row_of_the_benchmark_and_of_the_figures(results: Path, compared: Path) -> None:
    benchmark = table(results / "benchmark.tsv", "method")
    assert list(benchmark.index) == ROWS
    assert benchmark[list(TASKS)].notna().all(axis=None)
    markdown = (results / "benchmark.md").read_text()
    assert all(f"| {label} " in markdown for label in ("STL", "TLA", "RLW", "DWA", "IGBv1", "VisATB"))
    blocks = ("VisATB (T = 1.0)", "VisATB (α = [0.1, 0.1, 0.8])", "VisATB (simple form)")
    assert all(label in markdown.replace("\\", "") for label in blocks), "variants are named by what they change"
    assert (results / "benchmark.tex").read_text().count("\\midrule") == 1 + len(blocks)
    assert "visatb-T1" in (results / "figures/variants.svg").read_text()
    summary = (results / "summary.txt").read_text()
    assert "Weights of the variants" in summary
    assert summary in (compared / "output.txt").read_text()
    plan = table(results / "plan.tsv", "run")
    assert (plan.loc["base", "kind"], plan.loc["base", "samples"], plan.loc["base", "steps"]) == ("base", 0, 0)
    assert not (results / "runs/base/model").exists()


def test_weights_move_as_their_methods_say(results: Path) -> None:
    last = {method: history(results, method)[-1]["weights"] for method in ROWS[1:]}
    assert all(weights["ocr"] == 0.5 for weights in last.values()), "a fixed task keeps its weight"
    assert {last[method]["caption"] for method in ("ew", "tla")} == {1}
    for method in ("rlw", "dwa", "igbv1", "visatb", "visatb-T1", "cotbal", "simple"):
        assert last[method]["caption"] + last[method]["region"] == pytest.approx(2, abs=1e-4)
        assert last[method]["caption"] != 1
    assert "its weights" in (results / "figures/training/rlw.svg").read_text()
    assert "its weights" not in (results / "figures/training/tla.svg").read_text()
    step, steps = (history(results, "rlw")[-1][name] for name in ("step", "steps"))
    assert step == steps
    drawn = np.random.default_rng([0, step - 1]).standard_normal(2)
    assert [last["rlw"][task] for task in TASKS] == pytest.approx(list(softmax(drawn, 1)))


def test_the_paired_variants_differ_as_their_settings_do(results: Path) -> None:
    folders = {"visatb": results, **{name: results / "variants" / name for name in ("visatb-T1", "cotbal")}}
    weights = {name: table(folder / "weights.tsv", "task").loc[list(TASKS)] for name, folder in folders.items()}
    settings = {"visatb": (0.25, 0.25, 0.5, 0.5), "visatb-T1": (0.25, 0.25, 0.5, 1.0), "cotbal": (0.1, 0.1, 0.8, 0.5)}
    for name, (outward, inward, difficulty, temperature) in settings.items():
        one = weights[name]
        assert one[["C_out", "C_in", "D"]].equals(weights["visatb"][["C_out", "C_in", "D"]])
        expected = (
            outward * softmax(one["C_out"], temperature)
            + inward * softmax(-one["C_in"], temperature)
            + difficulty * softmax(one["D"], temperature)
        )
        assert one["weight"].to_numpy() == pytest.approx(expected, abs=1e-5)
        trained = history(results, name)[-1]["weights"]
        assert [trained[task] for task in TASKS] == pytest.approx(one["weight"].tolist())


def test_the_simple_form_starts_from_the_base_model_and_single_task_runs(results: Path) -> None:
    V = table(results / "validation_matrix.tsv", "run")
    found = table(results / "variants/simple/weights.tsv", "task")
    assert (V.loc["mini-only-caption"].notna() == [True, False]).all()
    learned = [task for task in TASKS if not isinstance(found.loc[task, "note"], str)]
    for i, j in (("caption", "region"), ("region", "caption")):
        if j in learned:
            C = (V.loc[f"single-{i}", j] - V.loc["base", j]) / (V.loc[f"single-{j}", j] - V.loc["base", j])
            assert found.loc[i, "C_out"] == pytest.approx(C, abs=1e-4)
            D = 1 - V.loc[f"mini-only-{j}", j] / V.loc[f"single-{j}", j]
            assert found.loc[j, "D"] == pytest.approx(D, abs=1e-4)
    assert json.loads((results / "variants/simple/balancing.json").read_text())["form"] == "simple"
    assert math.isclose(found.loc[list(TASKS), "weight"].sum(), 2, abs_tol=1e-4)


READ = {
    *("plot_balancing", "plot_training", "plot_benchmark"),
    *("collect_benchmark", "typeset_benchmark", "summarize"),
}


def of_run(run: str) -> set[str]:
    return {f"train {run}", f"predict {run} test", f"score {run} test"}


def test_nothing_changed(compared: Path) -> None:
    assert dry_run(compared, configfile=METHODS) == set()


def test_a_changed_variant_makes_its_own_weights_and_run_again(compared: Path) -> None:
    made = dry_run(compared, "--config", "variants={cotbal: {temperature: 2}}", configfile=METHODS)
    assert made == {"compute_variant cotbal", *of_run("cotbal"), *READ}


def test_a_changed_number_of_dwa_trains_dwa_again(compared: Path) -> None:
    made = dry_run(compared, "--config", "dwa={window: 4}", configfile=METHODS)
    assert made == {*of_run("dwa"), *READ} - {"plot_balancing"}


def test_a_variant_more_needs_only_what_it_measures_beyond_the_others(compared: Path) -> None:
    methods = f"methods={json.dumps([*ROWS, 'precise'])}"
    made = dry_run(compared, "--config", methods, "variants={precise: {difficulty: precise}}", configfile=METHODS)
    trained = {job.split(" ", 1)[1] for job in made if job.startswith("train")}
    assert trained == {"large-only-caption", "large-only-region", "precise"}
    assert "compute_variant precise" in made
    assert not {"compute_weights", "compute_variant cotbal"} & made
