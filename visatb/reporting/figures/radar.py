"""Radar chart of what methods gain over single-task training on each task (Figure 2 of CoTBal)."""

from collections.abc import Collection, Sequence
from typing import cast

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.projections.polar import PolarAxes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from visatb.reporting.figures.benchmark import COLOURS, FOCUS, nothing_to_compare, reference_of, relative_improvements
from visatb.reporting.figures.style import (
    ACCENT,
    CHARACTER,
    COLUMN,
    GREY,
    LINES,
    MARKERS,
    PAGE,
    label_width,
    new_figure,
    styled,
)

DIAMETER, LARGEST = 1.5, 3.0
"""Inches that the circle takes at least, and at most."""
INSIDE = 0.25
"""The centre lies below the lowest value by this share of the range, so that no value vanishes in it."""


@styled
def radar_figure(benchmark: pd.DataFrame, lower_is_better: Collection[str] = ()) -> Figure:
    """Draw `relative_improvements` on a circle: a spoke per score column, a line per method; outside is better.

    ``benchmark``: the columns ``method``, one per task or task:metric, and overall figures. A score that is missing, or
    whose reference is 0, leaves a gap; the dark circle is the reference. Two spokes have markers alone.
    """
    reference = reference_of(benchmark)
    if reference is None:
        return nothing_to_compare()
    change = relative_improvements(benchmark, reference, lower_is_better)
    undefined = change.isna().all()
    names = [f"{name} (undefined)" if undefined[name] else str(name) for name in change.columns]
    angles = 2 * np.pi * np.arange(len(names)) / len(names)
    beside = _beside(names, angles)
    width = next((width for width in (COLUMN, PAGE) if beside + DIAMETER <= width), beside + DIAMETER)
    columns = max(1, int(width / (label_width(change.index) + 0.45)))
    diameter = min(LARGEST, width - beside)
    figure = new_figure(width, diameter + 0.9 + 0.15 * -(-len(change) // columns))
    axes = cast(PolarAxes, figure.add_subplot(projection="polar"))
    _scale(axes, change)
    _draw(axes, change, angles)
    _name_spokes(axes, names, angles)
    title = f"improvement over {reference} (dark circle) in %"
    figure.legend(loc="outside lower center", ncols=columns, columnspacing=1, title=title)
    return figure


def _beside(names: Sequence[str], angles: NDArray[np.float64]) -> float:
    """Return the inches that names take left and right of the circle; those above and below it are centred."""
    side = np.round(np.sin(angles), 6)
    right = label_width(name for name, x in zip(names, side, strict=True) if x > 0)
    left = label_width(name for name, x in zip(names, side, strict=True) if x < 0)
    centred = label_width(name for name, x in zip(names, side, strict=True) if x == 0)
    return max(2 * max(left, right), centred - DIAMETER) + 4 * CHARACTER


def _scale(axes: PolarAxes, change: pd.DataFrame) -> None:
    """Set the distance from the centre: 0 and all values are within, in steps that can be read."""
    values = np.append(change.to_numpy(float).ravel(), 0.0)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    span = max(high - low, 1.0)
    centre, edge = low - INSIDE * span, high + 0.08 * span
    ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
    ticks = [tick for tick in ticks if centre + 0.1 * span < tick <= edge]
    axes.set_ylim(centre, edge)
    axes.set_yticks(ticks, [f"{tick:+g}" if tick else "0" for tick in ticks])
    axes.set_theta_zero_location("N")
    axes.set_theta_direction(-1)


def _draw(axes: PolarAxes, change: pd.DataFrame, angles: NDArray[np.float64]) -> None:
    circle = np.linspace(0, 2 * np.pi, 361)
    axes.plot(circle, np.zeros(361), color=GREY, linewidth=1.2)
    closed = np.append(angles, angles[:1] + 2 * np.pi)
    for k, (method, row) in enumerate(change.iterrows()):
        values = row.to_numpy(float)
        is_focus = method == FOCUS
        line = "-" if is_focus else LINES[k % len(LINES)]
        colour, marker = (ACCENT, "D") if is_focus else (COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)])
        axes.plot(
            closed,
            np.append(values, values[:1]),
            linestyle=line if len(angles) > 2 else "none",
            marker=marker,
            color=colour,
            markersize=3,
            linewidth=1.4 if is_focus else 0.9,
            zorder=3 if is_focus else 2,
            label=str(method),
        )


def _name_spokes(axes: PolarAxes, names: Sequence[str], angles: NDArray[np.float64]) -> None:
    axes.set_xticks(angles, list(names))
    axes.tick_params(axis="x", pad=-2)
    for label, x in zip(axes.get_xticklabels(), np.round(np.sin(angles), 6), strict=True):
        label.set_horizontalalignment("center" if x == 0 else "left" if x > 0 else "right")
    axes.set_rlabel_position(180 / len(names))
    axes.tick_params(axis="y", labelcolor=GREY)
    axes.grid(linewidth=0.4)
    axes.spines["polar"].set_visible(False)
