"""Figures: valid, deterministic SVG that says every task's name, for few and many tasks and odd names."""

import json
import runpy
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.helpers import reporting_examples as example
from tests.helpers.paths import REPOSITORY, SCRIPTS
from visatb.errors import VisatbError
from visatb.reporting.figures.bars import difficulty_figure, weights_figure
from visatb.reporting.figures.benchmark import benchmark_figure, relative_improvements
from visatb.reporting.figures.contributions import contributions_figure
from visatb.reporting.figures.cost import cost_figure
from visatb.reporting.figures.data_amount import data_amount_figure, learning_curves
from visatb.reporting.figures.radar import radar_figure
from visatb.reporting.figures.run import run_figure
from visatb.reporting.figures.style import COLUMN, FONT_SIZE, PAGE, save_figure
from visatb.reporting.figures.training import smooth, training_figure, training_panels
from visatb.reporting.figures.variants import variants_figure
from visatb.runtime.files import read_table, write_table

ROOT = REPOSITORY
ODD = ["<b>bold</b>", "a & b", "x_1_y", "$\\alpha$", "50% \"q\" 'r'", "été-图", "-dash", "a^b{c}"]


def frames(names: list[str]) -> dict[str, pd.DataFrame]:
    """Result tables for any number of tasks, filled from the demo's numbers over and over."""
    rows = np.resize(np.arange(len(example.TASKS)), len(names))
    values = np.array(example.C)[np.ix_(rows, rows)]
    np.fill_diagonal(values, 1.0)
    weights = example.weights().iloc[rows].reset_index(drop=True).assign(task=names, group=names)
    scores = example.benchmark()[example.TASKS].to_numpy()[:, rows]
    benchmark = pd.DataFrame(scores, columns=names)
    benchmark.insert(0, "method", example.benchmark()["method"])
    return {
        "contributions": example.contributions(names, values),
        "margins": weights.set_index("group")[["C_out", "C_in"]],
        "weights": weights,
        "difficulty": example.difficulty().iloc[rows].reset_index(drop=True).assign(group=names),
        "benchmark": benchmark.assign(dI=example.benchmark()["dI"], dE=example.benchmark()["dE"]),
    }


def histories(names: list[str]) -> dict[str, pd.DataFrame]:
    log = pd.DataFrame(np.linspace(3, 1, 30)[:, None] + np.arange(len(names)) / 9, columns=names)
    log.insert(0, "loss", log.mean(axis=1))
    return dict.fromkeys(("mini", *(f"plus-{name}" for name in names), "ew", "visatb"), log)


def variants(names: list[str]) -> pd.DataFrame:
    weights = frames(names)["weights"].set_index("task")
    return pd.DataFrame({"visatb": weights["weight"], "visatb-out-only": weights["lambda_out"]}, index=names)


def moving(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame(np.linspace(0.5, 1.5, 30)[:, None] + np.arange(len(names)) / 99, columns=names)


def hours(names: list[str]) -> pd.DataFrame:
    return pd.DataFrame({"run": names, "training_hours": 2.0, "prediction_hours": [np.nan] * len(names)})


def draw(names: list[str]) -> dict[str, Figure]:
    tables = frames(names)
    return {
        "contributions": contributions_figure(tables["contributions"], tables["margins"]),
        "difficulty": difficulty_figure(tables["difficulty"]),
        "weights": weights_figure(tables["weights"]),
        "benchmark": benchmark_figure(tables["benchmark"]),
        "training": training_figure(histories(names)),
        "run": run_figure("rlw", histories(names)["ew"], moving(names)),
        "cost": cost_figure(hours(names)),
        "variants": variants_figure(variants(names)),
        "radar": radar_figure(tables["benchmark"]),
        "data_amount": data_amount_figure(learning_curves(example.validation_scores(names), example.amounts(names))),
    }


def texts(path: Path) -> list[str]:
    root = ElementTree.parse(path).getroot()
    return ["".join(element.itertext()).strip() for element in root.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.filterwarnings("ignore:Glyph")
@pytest.mark.parametrize(
    "names", [["a", "b"], example.TASKS, ODD, [f"task-with-a-long-name_{k}" for k in range(20)]], ids=len
)
def test_svg_says_every_name(names: list[str], tmp_path: Path):
    for kind, figure in draw(names).items():
        path = tmp_path / f"{kind}.svg"
        save_figure(figure, [path])
        told = [f"plus-{name}" for name in names] if kind == "training" else names
        assert set(told) <= set(texts(path)), kind
        assert "<image" not in path.read_text(encoding="utf-8"), f"{kind} is not pure vector"


def test_numbers_in_the_heatmap_are_the_inputs(tmp_path: Path):
    path = tmp_path / "c.svg"
    save_figure(contributions_figure(example.contributions(), example.margins(), example.intervals()), [path])
    shown = texts(path)
    off = [f"{value:.2f}" for i, row in enumerate(example.C) for j, value in enumerate(row) if i != j]
    assert all(shown.count(text) >= off.count(text) for text in off)
    assert shown.count("1") == len(example.TASKS)
    for value in example.margins().to_numpy().ravel():
        assert f"{value:z.2f}" in shown


def test_values_are_bold_where_the_interval_excludes_zero():
    figure = contributions_figure(example.contributions(), example.margins(), example.intervals())
    bold = [text.get_text() for text in figure.axes[0].texts if text.get_weight() == "bold"]
    told = example.intervals().query("low > 0 or high < 0")
    assert sorted(map(float, bold)) == sorted(example.contributions().loc[i, j] for i, j in told[["from", "to"]].values)


def test_numbers_of_the_variants_are_the_inputs(tmp_path: Path):
    table = variants(example.TASKS)
    save_figure(variants_figure(table), [tmp_path / "v.svg"])
    found = [text for text in texts(tmp_path / "v.svg") if "." in text]
    assert found[: table.size] == [f"{value:.2f}" for value in table.to_numpy().T.ravel()]
    assert {"VisATB", "visatb-out-only"} <= set(texts(tmp_path / "v.svg"))


def test_rows_are_from_and_columns_are_to():
    values = np.eye(2)
    values[0, 1] = 0.8
    margins = pd.DataFrame({"C_out": [0.8, 0.0], "C_in": [0.0, 0.8]}, index=["giver", "taker"])
    axes = contributions_figure(example.contributions(["giver", "taker"], values), margins).axes[0]
    place = next(text.get_position() for text in axes.texts if text.get_text() == "0.80")
    column = axes.get_xticklabels()[int(place[0])].get_text()
    row = axes.get_yticklabels()[int(place[1])].get_text()
    assert (row, column) == ("giver", "taker")
    assert axes.get_xlabel().startswith("to")
    assert axes.get_ylabel().startswith("from")


def test_the_same_input_gives_the_same_bytes(tmp_path: Path):
    first, second = draw(["a", "b"]), draw(["a", "b"])
    for kind in first:
        for suffix in ("svg", "png"):
            save_figure(first[kind], [tmp_path / f"1.{suffix}"])
            save_figure(second[kind], [tmp_path / f"2.{suffix}"])
            assert (tmp_path / f"1.{suffix}").read_bytes() == (tmp_path / f"2.{suffix}").read_bytes(), kind


def test_sizes_and_fonts_suit_a_paper():
    for kind, figure in draw(example.TASKS).items():
        assert figure.get_figwidth() == (PAGE if kind in ("training", "data_amount") else COLUMN)
        sizes = [text.get_fontsize() for axes in figure.axes for text in (*axes.texts, *axes.get_yticklabels())]
        assert min(sizes) >= FONT_SIZE >= 7


@pytest.mark.parametrize(
    "names", [["a", "b"], example.TASKS, [f"task-with-a-long-name_{k}" for k in range(20)], ["x" * 60, "y" * 60]]
)
def test_nothing_sticks_out_of_the_picture(names: list[str], tmp_path: Path):
    for kind, figure in draw(names).items():
        save_figure(figure, [tmp_path / "laid-out.png"])
        figure.set_dpi(300)  # widths of letters depend a little on the resolution
        box = figure.get_tightbbox()
        assert box.x0 >= -0.02, kind
        assert box.y0 >= -0.02, kind
        assert box.x1 <= figure.get_figwidth() + 0.02, kind
        assert box.y1 <= figure.get_figheight() + 0.02, kind


def test_fixed_tasks_and_missing_intervals_are_drawn(tmp_path: Path):
    weights = example.with_fixed_task(example.weights()).assign(weight_low=np.nan, weight_high=np.nan)
    save_figure(weights_figure(weights), [tmp_path / "w.svg"])
    assert "sharegpt (fixed)" in texts(tmp_path / "w.svg")
    save_figure(difficulty_figure(example.difficulty().assign(low=np.nan, high=np.nan)), [tmp_path / "d.svg"])
    assert "0.76" in texts(tmp_path / "d.svg")


def test_relative_improvements_are_those_of_equation_9():
    change = relative_improvements(example.benchmark(), "STL")
    assert change.loc["EW", "gqa"] == pytest.approx(100 * (59.25 - 66.75) / 66.75)
    assert change.mean(axis=1)["EW"] == pytest.approx(-1.62, abs=0.01)
    assert change.mean(axis=1)["VisATB"] == pytest.approx(2.41, abs=0.01)
    turned = relative_improvements(example.benchmark(), "STL", ["gqa"])
    assert turned["gqa"].tolist() == pytest.approx((-change["gqa"]).tolist())


def test_a_score_of_zero_under_stl_is_said_to_be_undefined(tmp_path: Path):
    table = example.benchmark()
    table.loc[0, "gqa"] = 0.0
    save_figure(benchmark_figure(table), [tmp_path / "b.svg"])
    assert "gqa (undefined)" in texts(tmp_path / "b.svg")


def test_without_stl_methods_are_compared_with_ew(tmp_path: Path):
    save_figure(benchmark_figure(example.benchmark().iloc[1:]), [tmp_path / "b.svg"])
    assert "improvement over EW (%)" in texts(tmp_path / "b.svg")
    save_figure(benchmark_figure(example.benchmark().iloc[2:]), [tmp_path / "b.svg"])
    assert "Nothing to compare" in " ".join(texts(tmp_path / "b.svg"))


def test_panels_of_the_training_figure():
    panels = training_panels(histories(["a", "b"]))
    assert {title: list(curves) for title, curves in panels.items()} == {
        "preparation runs": ["mini", "plus-a", "plus-b"],
        "final runs": ["EW", "VisATB"],
    }
    loss = pd.Series(np.r_[np.nan, np.full(500, 2.0)])
    assert smooth(loss).tolist() == pytest.approx([2.0] * 500)


def test_a_runs_picture_shows_weights_only_where_they_move():
    losses = histories(["a", "b"])["ew"]
    still = run_figure("tla", losses, moving(["a", "b"]) * 0 + 1)
    assert len(still.axes) == 1
    curves = {str(line.get_label()): line for line in still.axes[0].lines}
    assert curves["a"].get_ydata() == pytest.approx(losses["a"])
    assert curves["all tasks"].get_ydata() == pytest.approx(losses["loss"])
    upper, lower = run_figure("rlw", losses, moving(["a", "b"])).axes
    assert "RLW" in upper.get_title(loc="left")
    drawn = [line.get_ydata() for line in lower.lines]
    assert any(len(y) == 30 and y == pytest.approx(moving(["a", "b"])["b"]) for y in drawn)


def test_a_task_has_its_colour_in_every_runs_picture():
    losses = histories(["a", "b", "c"])["ew"]

    def colour(frame: pd.DataFrame) -> object:
        lines = run_figure("x", frame, moving([]), ["c", "b", "a"]).axes[0].lines
        return next(line.get_color() for line in lines if line.get_label() == "b")

    assert colour(losses) == colour(losses[["loss", "b"]])


def test_the_bars_of_the_cost_are_as_long_as_it_was():
    runs = pd.DataFrame({"run": ["mini", "ew"], "training_hours": [0.5, 3.0], "prediction_hours": [0.25, np.nan]})
    axes = cost_figure(runs).axes[0]
    assert axes.get_xlabel() == "hours"
    assert [(bar.get_x(), bar.get_width()) for bar in axes.patches] == [(0, 0.5), (0, 3), (0.5, 0.25), (3, 0)]
    assert cost_figure(runs.assign(training_hours=0.001)).axes[0].get_xlabel() == "minutes"


def test_other_formats_are_refused(tmp_path: Path):
    with pytest.raises(VisatbError, match=r"\.svg or \.png"):
        save_figure(difficulty_figure(example.difficulty()), [tmp_path / "d.gif"])


def run_program(monkeypatch: pytest.MonkeyPatch, *words: object) -> None:
    monkeypatch.setattr(sys, "argv", ["reporting", *map(str, words)])
    runpy.run_path(str(SCRIPTS / "reporting.py"), run_name="__main__")


def test_the_program_writes_all_figures_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    flags = example.write_balancing(tmp_path)
    write_table(tmp_path / "benchmark.tsv", example.benchmark())
    log = example.write_history(tmp_path, "ew", example.history("ew", example.TASKS, steps=20))
    folder, model = tmp_path / "figures", log.with_name("model")
    variant = tmp_path / "warmer" / "weights.tsv"
    write_table(variant, example.weights())
    noted = {"notes": ["Told below."]}
    tasks = json.dumps({"tasks": example.TASKS})
    metrics = {task: ["EM"] for task in example.TASKS}
    run_program(
        *(monkeypatch, "plot_balancing", "--job", json.dumps(noted)),
        *(*flags, "--variants", variant, "--folder", folder),
    )
    run_program(
        *(monkeypatch, "plot_benchmark", "--job", json.dumps({"metrics": metrics, **noted})),
        *("--benchmark", tmp_path / "benchmark.tsv", "--folder", folder),
    )
    run_program(monkeypatch, "plot_training", "--job", tasks, "--models", model, "--own", model, "--folder", folder)
    run_program(monkeypatch, "plot_runs", "--job", tasks, "--models", model, "--folder", folder / "preparation")
    noted_figures = ("contributions", "difficulty", "weights", "benchmark", "radar")
    named = {name: {*example.TASKS} for name in (*noted_figures, "training/ew", "preparation/ew")}
    named |= {"variants": {*example.TASKS, "warmer"}, "data_amount": {"a", "b"}, "training": {"EW"}}
    assert {str(path.relative_to(folder).with_suffix("")) for path in folder.rglob("*.svg")} == set(named)
    for name, words in named.items():
        assert (folder / f"{name}.png").read_bytes().startswith(b"\x89PNG")
        told = texts(folder / f"{name}.svg")
        assert words <= set(told)
        assert ("Told below." in told) == (name in noted_figures)


def test_costs_are_drawn_from_the_table_they_are_collected_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    log = example.write_history(tmp_path, "ew", example.history("ew", example.TASKS, steps=20))
    for number, line in enumerate(lines := log.read_text().splitlines()):
        lines[number] = json.dumps(json.loads(line) | {"tokens": 900, "tokens_per_second": 1.0})
    log.write_text("\n".join(lines))
    write_table(tmp_path / "plan.tsv", pd.DataFrame({"run": ["base", "ew"], "kind": ["base", "ew"], "steps": [0, 20]}))
    (tmp_path / "benchmarks").mkdir()
    run_program(
        *(monkeypatch, "collect_cost", "--job", '{"gpus": {"ew": 2}}', "--plan", tmp_path / "plan.tsv"),
        *("--benchmarks", tmp_path / "benchmarks", "--models", log.with_name("model")),
        *("--runs", tmp_path / "runs.tsv", "--jobs", tmp_path / "jobs.tsv"),
        *("--figure", tmp_path / "cost.svg", tmp_path / "cost.png"),
    )
    runs = read_table(tmp_path / "runs.tsv").set_index("run")
    assert runs.loc["ew", "training_hours"] == pytest.approx(5)
    assert runs.loc["ew", "gpu_hours"] == pytest.approx(10)
    assert "EW" in texts(tmp_path / "cost.svg")
    assert (tmp_path / "cost.png").read_bytes().startswith(b"\x89PNG")


def test_texts_do_not_load_matplotlib():
    code = (
        "import sys, visatb.reporting.text.plan, visatb.reporting.text.summary; sys.exit('matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0
