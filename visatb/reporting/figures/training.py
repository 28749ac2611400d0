"""Loss over optimiser steps: a panel per stage of the experiment, and a picture per run with its task losses."""

from collections.abc import Iterator, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visatb.balancing.run_names import FINAL, PREPARATION, SINGLE, RunName, parse_runs, stage
from visatb.errors import VisatbError
from visatb.reporting.figures.style import GREY, LINES, OKABE_ITO, PAGE, label_width, loss_axis, new_figure, styled
from visatb.reporting.tables.tables import method_label

TITLES = {PREPARATION: "preparation runs", FINAL: "final runs", SINGLE: "single-task runs"}
POINTS = 50
"""Curves are running means over 1/50 of a run's logged steps, so that single batches hide nothing."""

LEGEND_ROWS = 10
"""Longer legends take a second column where there is room."""

SMALLEST_PANEL = 2.0
"""Width in inches that the curves keep beside their legend."""

MINI = "mini"
COLOURS = tuple(colour for colour in OKABE_ITO if colour != "#000000")


@styled
def training_figure(histories: Mapping[str, pd.DataFrame]) -> Figure:
    """Draw the loss of every run, a panel a stage.

    ``histories``: run -> a frame indexed by step with the column ``loss`` and one per task (NaN: absent).
    """
    panels = training_panels(histories)
    if not panels:
        raise VisatbError("no training history was given; name at least one training.jsonl")
    names = [label for curves in panels.values() for label in curves]
    columns = 1 if label_width(names) > 1.0 or len(panels) == 1 else 2
    rows = -(-len(panels) // columns)
    legend_columns = max(1, int((PAGE / columns - SMALLEST_PANEL) / (label_width(names) + 0.35)))
    longest = -(-max(map(len, panels.values())) // legend_columns)
    figure = new_figure(PAGE, rows * max(1.75, 0.13 * longest + 0.35) + 0.1)
    looks = _looks(histories)
    for number, (title, curves) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, number)
        _draw(axes, curves, looks, legend_columns)
        axes.set_title(title, loc="left")
        if title == TITLES[FINAL] and MINI in histories:
            _mark_mini(axes, int(histories[MINI].index.max()))
    return figure


def training_panels(histories: Mapping[str, pd.DataFrame]) -> dict[str, dict[str, pd.Series]]:
    """Return panel title -> curve label -> loss over steps, smoothed, in drawing order."""
    panels: dict[str, dict[str, pd.Series]] = {}
    for kind, title in TITLES.items():
        curves = {method_label(run): smooth(log["loss"]) for run, log in histories.items() if stage(run) == kind}
        if curves:
            panels[title] = curves
    return panels


def subjects(histories: Mapping[str, pd.DataFrame]) -> list[str]:
    """Return what the curves tell apart: tasks and groups, first those with runs of their own, in their order."""
    own = [subject for run, subject in _own_subjects(histories).items() if run != MINI]
    tasks = sorted({str(task) for log in histories.values() for task in log.columns.drop("loss")})
    return list(dict.fromkeys(own + tasks))


def _own_subjects(histories: Mapping[str, pd.DataFrame]) -> dict[str, str]:
    """Return run -> the task or group that it shares its look with, of runs that are not final; or itself."""
    names = {run: name for run, name in parse_runs(list(histories)).items() if name.stage != FINAL}
    return {run: name.subject if _is_first(name) else run for run, name in names.items()}


def _is_first(name: RunName) -> bool:
    return name.kind in ("plus", "single") and not name.repetition and not name.before


def smooth(loss: pd.Series) -> pd.Series:
    """Return the centred running mean over 1/`POINTS` of the steps at which the loss was logged."""
    logged = loss.dropna()
    return logged.rolling(max(1, len(logged) // POINTS), center=True, min_periods=1).mean()


def _mark_mini(axes: Axes, steps: int) -> None:
    """Say where the mini subsets end, to be compared with the bend of the loss (Figure 4 of the paper)."""
    axes.axvline(steps, color=GREY, linewidth=0.8, linestyle=":")
    transform = axes.get_xaxis_transform()
    axes.annotate("steps of mini", (steps, 1), (2, -2), transform, "offset points", color=GREY, va="top")


def _looks(histories: Mapping[str, pd.DataFrame]) -> dict[str, tuple[str, str]]:
    """Return curve label -> colour and line; a task keeps its look in every panel."""
    look = dict(_cycle(subjects(histories)))
    others = {run: look[subject] for run, subject in _own_subjects(histories).items() if run != MINI}
    final = dict(_cycle([method_label(run) for run in histories if stage(run) == FINAL]))
    return {**look, **others, **final, MINI: ("black", "-")}


def _cycle(names: list[str]) -> Iterator[tuple[str, tuple[str, str]]]:
    for k, name in enumerate(names):
        yield name, (COLOURS[k % len(COLOURS)], LINES[k // len(COLOURS) % len(LINES)])


def _draw(
    axes: Axes, curves: Mapping[str, pd.Series], looks: Mapping[str, tuple[str, str]], legend_columns: int
) -> None:
    for label, loss in curves.items():
        colour, line = looks[label]
        marker = "." if len(loss) == 1 else None
        axes.plot(loss.index, loss, line, color=colour, marker=marker, linewidth=0.9, label=label)
    axes.set_xlabel("optimiser step")
    loss_axis(axes)
    axes.legend(
        loc="upper left",
        bbox_to_anchor=(1.01, 1.0),
        borderaxespad=0,
        labelspacing=0.25,
        ncols=min(legend_columns, -(-len(curves) // LEGEND_ROWS)),
    )
