"""Difficulties and weights of the tasks, with intervals (Eq. 4-8; Figure 3b and Table 5 of the paper)."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from visatb.reporting.figures.style import (
    ACCENT,
    COLUMN,
    GREY,
    LIGHT,
    OKABE_ITO,
    figure_width,
    name_rows,
    new_figure,
    styled,
)

RECOMMENDED = (0.5, 2.0)
"""The range in which section 3.5 of the paper wants every weight."""

PARTS = (
    ("lambda_out", "λ_out (gives)", "^"),
    ("lambda_in", "λ_in (receives little)", "v"),
    ("lambda_D", "λ_D (is hard)", "s"),
)


@styled
def difficulty_figure(difficulty: pd.DataFrame) -> Figure:
    """Draw D with its 95 % interval as one bar per group. Columns: ``group``, ``D``, ``low``, ``high``."""
    names = [str(name) for name in difficulty["group"]]
    figure = new_figure(figure_width(names, 1.6), 0.5 + 0.19 * len(names))
    axes = figure.add_subplot()
    rows = np.arange(len(names))
    values = difficulty["D"].to_numpy(float)
    axes.barh(rows, values, height=0.68, color=OKABE_ITO[5])
    _whiskers(axes, rows, values, difficulty["low"], difficulty["high"], "black")
    ends = np.fmax(np.maximum(values, 0), difficulty["high"].to_numpy(float))
    for row, (value, end) in enumerate(zip(values, ends, strict=True)):
        axes.annotate(f"{value:z.2f}", (end, row), (3, 0), textcoords="offset points", va="center")
    axes.axvline(0, color=GREY, linewidth=0.6)
    axes.margins(x=0.12)
    name_rows(axes, names)
    axes.set_xlabel("difficulty D")
    return figure


@styled
def weights_figure(weights: pd.DataFrame) -> Figure:
    """Draw lambda_out, lambda_in, lambda_D and the final weight with its 95 % interval, one row per task.

    Columns: ``task``, ``lambda_out``, ``lambda_in``, ``lambda_D``, ``weight``, ``weight_low``, ``weight_high``.
    A fixed task has only a weight (NaN elsewhere). The line is at 1 (equal weighting), the band is `RECOMMENDED`.
    """
    fixed = weights["lambda_D"].isna()
    names = [
        f"{task} (fixed)" if is_fixed else str(task) for task, is_fixed in zip(weights["task"], fixed, strict=True)
    ]
    figure = new_figure(figure_width(names, 2.0), 0.75 + 0.27 * len(names))
    axes = figure.add_subplot()
    axes.axvspan(*RECOMMENDED, color=LIGHT, alpha=0.55, linewidth=0)
    axes.axvline(1, color=GREY, linewidth=0.8)
    rows = np.arange(len(names))
    for (column, label, marker), colour in zip(PARTS, OKABE_ITO, strict=False):
        axes.plot(
            weights[column],
            rows - 0.2,
            marker,
            color=colour,
            markersize=3.5,
            label=label,
            linestyle="none",
            alpha=0.9,
        )
    values = weights["weight"].to_numpy(float)
    _whiskers(axes, rows + 0.14, values, weights["weight_low"], weights["weight_high"], ACCENT)
    axes.plot(values, rows + 0.14, "D", color=ACCENT, markersize=4.5, label="final weight λ", linestyle="none")
    name_rows(axes, names)
    axes.set_xlabel("weight (1: equal weighting)")
    figure.legend(
        loc="outside upper center",
        ncols=2 if figure.get_figwidth() == COLUMN else 4,
        columnspacing=1,
        handletextpad=0.3,
    )
    return figure


def _whiskers(
    axes: Axes,
    rows: NDArray[Any],
    values: NDArray[Any],
    low: Sequence[float],
    high: Sequence[float],
    colour: str,
) -> None:
    """Draw the intervals; a value need not lie in its interval, so they are lines of their own."""
    axes.hlines(rows, low, high, color=colour, linewidth=1.0)
    for ends in (low, high):
        axes.plot(ends, rows, "|", color=colour, markersize=3.5, linestyle="none")
