"""Summary, plan and the reading of result files."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.helpers import reporting_examples as example
from tests.helpers.paths import REPOSITORY
from visatb.balancing.run_names import FINAL, PREPARATION, SINGLE, stage
from visatb.errors import VisatbError
from visatb.reporting.read_results import read_contributions, read_histories, read_training, read_variants, read_weights
from visatb.reporting.text.plan import cost_text, plan_text, plan_warnings, preparation_cost, subset_sizes
from visatb.reporting.text.summary import indistinguishable_from_one, summary_text, warning_lines, weights_text
from visatb.runtime.files import write_table
from visatb.runtime.tables import read_columns

ROOT = REPOSITORY


def test_weights_in_the_text_equal_the_table():
    weights = example.weights()
    lines = weights_text(weights).splitlines()[2:]
    for row, line in zip(weights.to_dict("records"), lines, strict=True):
        numbers = [float(number) for number in re.findall(r"-?\d+\.\d+", line)]
        wanted = [row[key] for key in ("C_out", "C_in", "D", "weight", "weight_low", "weight_high")]
        assert numbers == pytest.approx(wanted, abs=0.0051)
        assert line.startswith(row["task"])


def test_fixed_task_has_a_weight_and_dashes():
    line = weights_text(example.with_fixed_task(example.weights())).splitlines()[-1]
    assert line.split() == ["sharegpt", "-", "-", "-", "1.00", "-", "fixed"]


def test_only_intervals_that_contain_one_are_named():
    weights = example.weights()
    assert indistinguishable_from_one(weights) == ["region"]
    assert "Cannot be told from 1 (the interval contains it): region." in summary_text(weights)
    assert "No intervals" in summary_text(weights.assign(weight_low=np.nan, weight_high=np.nan))


def test_without_stl_there_is_no_word_of_improvement_over_it():
    benchmark = example.benchmark()
    assert "ΔI%: mean" in summary_text(example.weights(), benchmark)
    without = benchmark[benchmark["method"] != "stl"].assign(dI=np.nan, dE=np.nan)
    assert not {"ΔI%", "ΔE%", "STL"} & set(re.findall(r"[\wΔ%]+", summary_text(example.weights(), without)))


def test_groups_are_shown_where_tasks_share_them():
    weights = example.weights()
    assert "group" not in weights_text(weights).splitlines()[0]
    weights.loc[:1, "group"] = "words"
    assert weights_text(weights).splitlines()[0].split()[:2] == ["task", "group"]


def test_warnings_count_answers_once_per_task():
    weights = example.with_fixed_task(example.weights())
    weights.loc[[2, 3], "note"] = "gqa: did not improve; left out"
    assert warning_lines(weights, example.scores()) == [
        "gqa: did not improve; left out",
        "bbox: 64 of 800 answers could not be read and score 0 (most in run mini, val: 60 of 400)",
        "caption: 3 of 400 answers were cut at max_new_tokens (most in run visatb, test: 3 of 400)",
    ]
    assert warning_lines(example.weights(), None) == []
    assert weights_text(weights).splitlines()[4].endswith("see the warnings")


def test_variants_are_shown_beside_the_weights(tmp_path: Path):
    for name in ("a", "b"):
        table = example.with_fixed_task(example.weights())
        write_table(tmp_path / f"{name}.tsv", table.assign(weight=table["weight"] + (name == "b")))
    variants = read_variants(["T1", "cotbal"], [tmp_path / "a.tsv", tmp_path / "b.tsv"])
    assert list(variants.index) == example.TASKS
    text = summary_text(example.weights(), variants=variants)
    assert re.search(r"^caption +0\.87 +1\.87$", text, re.MULTILINE)
    assert text.index("Task weights") < text.index("Weights of the variants")
    assert "Weights of the variants" not in summary_text(example.weights())


def test_stages_of_runs():
    names = ["mini", "base", "plus-mini", "mini-only-a", "large-only-a", "single-a", "ew", "visatb", "minimal"]
    assert [stage(name) for name in names] == [PREPARATION] * 5 + [SINGLE] + [FINAL] * 3


def test_cost_of_the_preparation_is_the_formula_s():
    assert preparation_cost(example.plan()) == pytest.approx(1 + 7 / 16)
    assert preparation_cost(example.plan(samples=64_000, mini=2_000)) == pytest.approx(1 + 7 / 32)
    text = plan_text(example.plan(), 1.0, 1 / 16, 7)
    assert "costs 1.44 times a final training" in text
    assert "R_large + N x R_mini = 1 + 7 x 0.0625 = 1.44" in text
    no_final = example.plan().iloc[:8]
    assert "this plan holds none" in plan_text(no_final, 1.0, 1 / 16, 7)


@pytest.mark.parametrize(
    ("seeds", "mini_seeds", "formula"),
    [
        (1, 5, "R_large + N x R_mini + 4 x R_mini = 1 + 7 x 0.0625 + 4 x 0.0625 = 1.69"),
        (2, None, "2 x (R_large + N x R_mini) = 2 x (1 + 7 x 0.0625) = 2.88"),
        (3, 2, "3 x (R_large + N x R_mini) - 1 x R_mini = 3 x (1 + 7 x 0.0625) - 1 x 0.0625 = 4.25"),
    ],
)
def test_the_formula_counts_repetitions(seeds: int, mini_seeds: int | None, formula: str):
    plan = example.plan()
    rows = [plan]
    for run, times in {"mini": mini_seeds or seeds, "plus-": seeds}.items():
        rows += [plan[plan["run"].str.startswith(run)].assign(run=f"{run}-seed{n}") for n in range(1, times)]
    text = cost_text(pd.concat(rows), 1.0, 1 / 16, 7, seeds=seeds, mini_seeds=mini_seeds)
    assert formula in text
    counted = float(text.split("costs ")[1].split(" times")[0])
    assert counted == pytest.approx(float(formula.split()[-1]), abs=0.011)


def test_plan_totals():
    plan = example.plan()
    lines = plan_text(plan, 1.0, 1 / 16, 7).splitlines()
    total = next(line for line in lines if line.startswith("all runs"))
    assert [int(n.replace(",", "")) for n in total.split()[2:]] == [
        plan[column].sum() for column in ("samples", "steps", "evaluations")
    ]


def test_subset_sizes_are_worked_back():
    sizes = subset_sizes(example.plan(), 1.0, 1 / 16)
    assert list(sizes) == example.TASKS
    assert {round(size.large) for size in sizes.values()} == {3200}
    assert {round(size.mini) for size in sizes.values()} == {200}
    assert {round(size.large_steps) for size in sizes.values()} == {400}


def test_warnings_at_the_paper_s_limits():
    assert plan_warnings(example.plan(samples=32_000, mini=1_000), 1.0, 1 / 32) == []
    lines = plan_warnings(example.plan(samples=32_000, mini=999), 1.0, 999 / 32_000)
    assert len(lines) == 1
    assert lines[0].startswith("samples of a mini subset (at least 1,000")
    small = plan_warnings(example.plan(samples=320, mini=20), 1.0, 1 / 16)
    assert [line.split(" (")[0] for line in small] == [
        "samples of a large subset",
        "steps on a large subset",
        "samples of a mini subset",
        "steps of the run mini",
    ]
    assert "nothing to measure" in plan_warnings(example.plan(), 0.5, 0.5)[0]


def test_plan_without_a_column_is_refused():
    with pytest.raises(VisatbError, match="no column steps"):
        plan_text(example.plan().drop(columns="steps"), 1.0, 0.1, 7)


def test_tables_are_checked_when_read(tmp_path: Path):
    path = tmp_path / "weights.tsv"
    write_table(path, example.with_fixed_task(example.weights()))
    table = read_weights(path)
    assert table["note"].tolist() == [""] * 7 + ["fixed"]
    assert table["D"].isna().tolist() == [False] * 7 + [True]
    path.write_text("task\tD\na\tmany\n")
    with pytest.raises(VisatbError, match="'D', row 1: 'many' is not a finite number"):
        read_columns(path, ["task"], ["D"])
    with pytest.raises(VisatbError, match="has no column 'group'"):
        read_weights(path)
    path.write_text("from\ta\tb\na\t1\t0.5\n")
    with pytest.raises(VisatbError, match="every pair"):
        read_contributions(path)


def test_a_later_attempt_replaces_what_it_repeats(tmp_path: Path):
    lines = example.history("ew", ["a", "b"], steps=6)
    again = [line | {"loss": 0.25, "attempt": 2} for line in lines[3:]]
    path = example.write_history(tmp_path, "ew", lines[:5] + again)
    with path.open("a") as file:
        file.write('{"step": 7, "lo')
    log = read_histories([path])["ew"]
    assert log.index.tolist() == [1, 2, 3, 4, 5, 6]
    assert log["loss"].tolist() == pytest.approx([*(line["loss"] for line in lines[:3]), 0.25, 0.25, 0.25])
    path.write_text("oops\n")
    with pytest.raises(VisatbError, match="no step was logged"):
        read_training(path)


def run_program(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "workflow_scripts" / "reporting.py", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)})


def test_the_program_summarizes(tmp_path: Path):
    write_table(tmp_path / "weights.tsv", example.weights())
    write_table(tmp_path / "benchmark.tsv", example.benchmark())
    write_table(tmp_path / "scores.tsv", example.scores())
    tables = [item for name in ("weights", "benchmark", "scores") for item in (f"--{name}", tmp_path / f"{name}.tsv")]
    done = run_program("summarize", *tables, "--see", "x/report.html", "--output", tmp_path / "summary.txt")
    assert done.returncode == 0, done.stderr
    assert done.stdout == (tmp_path / "summary.txt").read_text()
    assert "x/report.html" in done.stdout
    assert re.search(r"VisATB .*\b2\.41 +1\.39$", done.stdout, re.MULTILINE)
    failed = run_program("summarize", "--weights", tmp_path / "none.tsv", "--output", tmp_path / "s.txt")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: ")
    assert "Traceback" not in failed.stderr
