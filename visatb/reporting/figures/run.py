"""One training: the loss of each task over its steps, and the weights where they move."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visatb.reporting.figures.style import (
    GREY,
    LINES,
    OKABE_ITO,
    figure_width,
    label_width,
    loss_axis,
    new_figure,
    styled,
)
from visatb.reporting.figures.training import smooth
from visatb.reporting.tables.tables import method_label

COLOURS = tuple(colour for colour in OKABE_ITO if colour != "#000000")
WHOLE = "all tasks"
PANEL = 1.7
"""Height of a panel in inches."""

LEGEND_LINE = 0.42
"""Inches beside a name in the legend."""

Looks = Mapping[str, tuple[str, str]]


@styled
def run_figure(run: str, losses: pd.DataFrame, weights: pd.DataFrame, order: Sequence[str] = ()) -> Figure:
    """Draw one run's losses, smoothed, and below them lambda as it was logged, where it is not the same all along.

    ``losses``: indexed by step, the column ``loss`` and one per task (NaN: absent). ``weights``: indexed by step,
    one column per task. ``order``: the tasks of all runs, so that a task looks the same in every picture.
    """
    logged = [str(task) for task in losses.columns.drop("loss")]
    numbers = {task: number for number, task in enumerate(dict.fromkeys([*order, *logged]))}
    tasks = sorted(logged, key=lambda task: numbers[task])
    looks = {task: _look(numbers[task]) for task in tasks}
    moving = moves(weights)
    width = figure_width([*tasks, WHOLE], LEGEND_LINE)
    columns = max(1, int(width / (label_width([*tasks, WHOLE]) + LEGEND_LINE)))
    legend_rows = -(-(len(tasks) + 1) // columns)
    figure = new_figure(width, (1 + moving) * PANEL + 0.13 * legend_rows + 0.25)
    panels = figure.subplots(1 + moving, 1, sharex=True, squeeze=False)[:, 0]
    _draw_losses(panels[0], losses, looks)
    if moving:
        _draw_weights(panels[1], weights, looks)
    panels[0].set_title(f"{method_label(run)}: training loss", loc="left")
    panels[-1].set_xlabel("optimiser step")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, columnspacing=1, labelspacing=0.25)
    return figure


def _look(number: int) -> tuple[str, str]:
    return COLOURS[number % len(COLOURS)], LINES[number // len(COLOURS) % len(LINES)]


def moves(weights: pd.DataFrame) -> bool:
    """Return whether any task's weight changes over the steps."""
    return bool((weights.nunique() > 1).any())


def _draw_losses(axes: Axes, losses: pd.DataFrame, looks: Looks) -> None:
    marker = "." if len(losses) == 1 else None
    for task, (colour, line) in looks.items():
        axes.plot(smooth(losses[task]), line, color=colour, marker=marker, linewidth=0.8, label=task)
    axes.plot(smooth(losses["loss"]), "-", color="black", marker=marker, linewidth=1.4, label=WHOLE)
    loss_axis(axes)


def _draw_weights(axes: Axes, weights: pd.DataFrame, looks: Looks) -> None:
    for task, (colour, line) in looks.items():
        if task in weights.columns:
            axes.plot(weights[task].dropna(), "-", color=colour, linewidth=0.4, alpha=0.35)
            axes.plot(smooth(weights[task]), line, color=colour, linewidth=1.0)
    axes.axhline(1, color=GREY, linewidth=0.6)
    axes.set_ylim(bottom=0)
    axes.set_ylabel("weight λ")
    axes.set_title("its weights, smoothed (faint: as logged)", loc="left")
