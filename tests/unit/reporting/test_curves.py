"""Radar chart, scores against data amount, and the loss: are the points where the numbers say?"""

import runpy
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.helpers import reporting_examples as example
from tests.helpers.paths import SCRIPTS
from visatb.data.mixtures import subset_amounts
from visatb.errors import VisatbError
from visatb.reporting.figures.benchmark import relative_improvements
from visatb.reporting.figures.data_amount import ALONE, JOINT, data_amount_figure, learning_curves
from visatb.reporting.figures.radar import radar_figure
from visatb.reporting.figures.style import save_figure
from visatb.reporting.figures.training import training_figure


def texts(path: Path) -> str:
    return " ".join("".join(element.itertext()) for element in ElementTree.parse(path).getroot().iter())


def lines(figure: Figure) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.asarray(line.get_xydata()) for line in figure.axes[0].lines}


def test_each_method_of_the_radar_is_at_its_improvement_on_each_spoke():
    benchmark = example.benchmark()
    change = relative_improvements(benchmark, "STL")
    figure = radar_figure(benchmark)
    angles = 2 * np.pi * np.arange(len(example.TASKS)) / len(example.TASKS)
    for method, row in change.iterrows():
        points = lines(figure)[str(method)]
        assert points[:-1, 0] == pytest.approx(angles)
        assert points[:-1, 1] == pytest.approx(row.to_numpy())
        assert points[-1, 1] == points[0, 1], "the line is closed"
    low, high = figure.axes[0].get_ylim()
    assert low < min(change.min()) <= max(change.max()) < high, "all points are within the circle"
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == example.TASKS


def test_two_tasks_enclose_nothing():
    figure = radar_figure(example.benchmark()[["method", "vqa", "gqa", "dI", "dE"]])
    styles = {str(line.get_label()): line.get_linestyle() for line in figure.axes[0].lines}
    assert (styles["EW"], styles["VisATB"]) == ("None", "None")


def test_errors_point_outwards_when_they_fall():
    figure = radar_figure(example.benchmark(), ["gqa"])
    gqa = example.TASKS.index("gqa")
    assert lines(figure)["EW"][gqa, 1] == pytest.approx(100 * (66.75 - 59.25) / 66.75)


@pytest.mark.parametrize("value", [np.nan, 0.0])
def test_what_is_missing_is_a_gap(value: float, tmp_path: Path):
    table = example.benchmark().assign(dI_zero=[np.nan, 0.0, 1.5])
    table.loc[0, "gqa"] = value
    table.loc[1, "ocr"] = np.nan
    figure = radar_figure(table)
    points = lines(figure)["EW"][:-1, 1]
    assert [task for task, point in zip(example.TASKS, points, strict=True) if np.isnan(point)] == ["gqa", "ocr"]
    save_figure(figure, [tmp_path / "r.svg"])
    assert "gqa (undefined)" in texts(tmp_path / "r.svg")
    assert "ocr (undefined)" not in texts(tmp_path / "r.svg"), "VisATB has a score there"


def test_the_radar_says_what_it_compares_with(tmp_path: Path):
    for rows, words in ((slice(0, 3), "over STL"), (slice(1, 3), "over EW"), (slice(2, 3), "Nothing to compare")):
        save_figure(radar_figure(example.benchmark().iloc[rows]), [tmp_path / "r.svg"])
        assert words in texts(tmp_path / "r.svg")


def test_curves_lead_from_mini_to_large_and_leave_out_other_tasks_data():
    curves = learning_curves(example.validation_scores(["a", "b"]), example.amounts(["a", "b"]))
    scores = example.validation_scores(["a", "b"]).set_index(["run", "task"])["value"]
    of_b = curves[curves["task"] == "b"]
    joint, alone = (of_b[of_b["series"] == series] for series in (JOINT, ALONE))
    assert joint[["samples", "value"]].to_numpy().tolist() == [
        [100, scores["mini", "b"]],
        [3200, scores["plus-b", "b"]],
    ]
    assert alone["samples"].tolist() == [0, 100, 3200]
    assert alone["value"].iloc[0] == scores["base", "b"]
    assert scores["plus-a", "b"] not in of_b["value"].tolist()


def test_a_group_grows_together_beside_fixed_tasks():
    rows = [("mini", task, "mini", 10) for task in ("a", "b", "c", "fixed")]
    rows += [("plus-g", "a", "large", 80), ("plus-g", "b", "large", 40), ("plus-g", "c", "mini", 10)]
    rows += [("plus-g", "fixed", "mini", 10)]
    amounts = pd.DataFrame(rows, columns=["run", "task", "subset", "samples"])
    scores = pd.DataFrame({"run": ["mini", "plus-g"] * 3, "task": list("aabbcc"), "metric": "EM", "value": 1.0})
    curves = learning_curves(scores.assign(stderr=0.1), amounts)
    assert {task: rows["samples"].tolist() for task, rows in curves.groupby("task")} == {
        "a": [10, 80],
        "b": [10, 40],
        "c": [10],
    }
    assert set(curves["series"]) == {JOINT}


def test_single_task_runs_are_the_end_of_the_simple_form():
    rows = [("single-a", "a", "train", 320), ("single-b", "b", "train", 640), ("mini-only-a", "a", "mini", 10)]
    amounts = pd.DataFrame(rows, columns=["run", "task", "subset", "samples"])
    runs = ["single-a", "single-b", "mini-only-a", "base"]
    scores = pd.DataFrame({"run": runs, "task": "a", "metric": "judge", "value": [50.0, 30, 20, 5], "stderr": 1.0})
    curves = learning_curves(scores, amounts)
    assert curves[["samples", "value"]].to_numpy().tolist() == [[0, 5], [10, 20], [320, 50]]


def test_intervals_and_ticks_of_the_data_amounts():
    figure = data_amount_figure(learning_curves(example.validation_scores(), example.amounts()))
    axes = figure.axes[example.TASKS.index("vqa")]
    assert axes.get_title(loc="left") == "vqa"
    assert [label.get_text() for label in axes.get_xticklabels()] == ["0", "100", "3.2k"]
    for container in axes.containers:
        bar = container.lines[2][0].get_segments()[0]
        assert np.ptp(bar[:, 1]) == pytest.approx(2 * 1.96 * 1.5)
    assert axes.get_ylim()[0] == 0
    with pytest.raises(VisatbError, match="no validation score"):
        data_amount_figure(learning_curves(example.validation_scores().iloc[:0], example.amounts()))


def test_several_metrics_of_a_task_have_a_panel_each():
    scores = example.validation_scores(["a", "b"])
    both = pd.concat([scores, scores[scores["task"] == "a"].assign(metric="IoU")])
    figure = data_amount_figure(learning_curves(both, example.amounts(["a", "b"])))
    assert {axes.get_title(loc="left") for axes in figure.axes} == {"a:EM", "a:IoU", "b"}


def test_the_program_counts_the_mixtures_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    flags = example.write_balancing(tmp_path)
    counted = subset_amounts([tmp_path / "mini.arrow", tmp_path / "plus-a.arrow"]).set_index(["run", "task"])
    assert counted["samples"].to_dict() == {
        ("mini", "a"): 3,
        ("mini", "b"): 2,
        ("plus-a", "a"): 30,
        ("plus-a", "b"): 2,
    }
    assert counted.loc[("plus-a", "a"), "subset"] == "large"
    words = ["plot_balancing", "--job", "{}", *flags, "--folder", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["reporting", *words])
    runpy.run_path(str(SCRIPTS / "reporting.py"), run_name="__main__")
    assert {"3", "30"} <= set(texts(tmp_path / "data_amount.svg").split())


def test_the_loss_shows_where_mini_ends():
    log = pd.DataFrame({"loss": np.linspace(3, 1, 40)}, index=np.arange(1, 41))
    figure = training_figure({"mini": log.iloc[:7], "ew": log})
    final = next(axes for axes in figure.axes if axes.get_title(loc="left") == "final runs")
    assert [text.xy[0] for text in final.texts] == [7]
    assert not list(training_figure({"ew": log}).axes[0].texts)
