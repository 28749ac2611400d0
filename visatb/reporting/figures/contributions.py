"""The heatmap of contributions, with C_out and C_in at its margins (Eq. 3; Figure 3a of the paper)."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from visatb.reporting.figures.style import COLUMN, LIGHT, PAGE, label_width, new_figure, styled

GAP = 0.25
"""Space between the matrix and its margins, in cells."""

SMALLEST_CELL, LARGEST_CELL = 0.285, 0.4
"""Width of a cell in inches; the smallest holds a value such as -0.12."""

LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


@styled
def contributions_figure(
    contributions: pd.DataFrame,
    margins: pd.DataFrame,
    intervals: pd.DataFrame | None = None,
    not_measured: Collection[str] = (),
) -> Figure:
    """Draw C[i -> j], N x N: group i (trained in full) in the rows, group j (validated) in the columns.

    ``contributions``: indexed and headed by group. ``margins``: the columns ``C_out`` and ``C_in`` by group.
    ``intervals``: the columns ``from``, ``to``, ``low``, ``high``; where an interval excludes 0, C is bold;
    where a column ``approximate`` says yes, it is marked with ≈.
    The columns of the groups ``not_measured`` hold dashes. Colours are centred at 0 and saturate at the largest value
    off the diagonal, at most 1.
    """
    names = [str(name) for name in contributions.index]
    margins = margins.loc[contributions.index]
    values = contributions.loc[:, contributions.index].to_numpy(float, copy=True)
    np.fill_diagonal(values, np.nan)
    values[:, [name in not_measured for name in names]] = np.nan
    limit = float(np.clip(np.nanmax(np.abs(values), initial=0.0), 0.2, 1.0))
    figure, axes = _canvas(names)
    edge = len(names) + GAP
    mesh = _draw(axes, values, (0, 0), limit, _sure(names, intervals), _approximate(names, intervals))
    _draw(axes, margins["C_out"].to_numpy(float)[:, None], (edge, 0), limit)
    _draw(axes, margins["C_in"].to_numpy(float)[None, :], (0, edge), limit)
    _name_axes(axes, names, edge)
    extend = _EXTEND[bool((values < -limit).any()), bool((values > limit).any())]
    bar = figure.colorbar(mesh, ax=axes, location="bottom", fraction=0.04, aspect=40, pad=0.02, extend=extend)
    bar.ax.xaxis.set_major_locator(MaxNLocator(5))
    bar.outline.set_visible(False)
    bar.solids.set(rasterized=False, edgecolor="face")  # type: ignore[union-attr]
    bar.set_label("contribution C (1: as much as own data)")
    return figure


_EXTEND = {(True, True): "both", (True, False): "min", (False, True): "max", (False, False): "neither"}


def _canvas(names: list[str]) -> tuple[Figure, Axes]:
    """Make the figure a column wide, a page wide, or wider where cells would become too small."""
    cells, beside = len(names) + 1 + GAP, label_width(names) + 0.35
    fits = [width for width in (COLUMN, PAGE) if (width - beside) / cells >= SMALLEST_CELL]
    width = fits[0] if fits else cells * SMALLEST_CELL + beside
    cell = min((width - beside) / cells, LARGEST_CELL)
    figure = new_figure(width, cells * min(cell, 0.3) + label_width(names) * (1.0 if _upright(names) else 0.75) + 1.0)
    return figure, figure.add_subplot()


def _upright(names: list[str]) -> bool:
    """Return whether column names stand upright: slanted, many or long ones would run out of the picture."""
    return len(names) > 8 or label_width(names) > 0.7


def _sure(names: list[str], intervals: pd.DataFrame | None) -> set[tuple[int, int]]:
    if intervals is None:
        return set()
    return _places(names, intervals[(intervals["low"] > 0) | (intervals["high"] < 0)])


def _approximate(names: list[str], intervals: pd.DataFrame | None) -> set[tuple[int, int]]:
    if intervals is None or "approximate" not in intervals:
        return set()
    return _places(names, intervals[intervals["approximate"] == "yes"])


def _places(names: list[str], pairs: pd.DataFrame) -> set[tuple[int, int]]:
    positions = {name: k for k, name in enumerate(names)}
    named = zip(pairs["from"], pairs["to"], strict=True)
    return {(positions[i], positions[j]) for i, j in named if i in positions and j in positions}


def _draw(
    axes: Axes,
    values: NDArray[np.float64],
    corner: tuple[float, float],
    limit: float,
    bold: Collection[tuple[int, int]] = (),
    approximate: Collection[tuple[int, int]] = (),
) -> QuadMesh:
    """Draw cells with their values, the first at ``corner`` (x, y). NaN is grey: the diagonal, or not measured."""
    left, top = corner
    rows, columns = values.shape
    x, y = np.arange(columns + 1) + left, np.arange(rows + 1) + top
    colours = colormaps["PuOr"].with_extremes(bad=LIGHT)
    shown = np.ma.masked_invalid(values)
    luminance = colours(shown / (2 * limit) + 0.5)[..., :3] @ LUMINANCE
    mesh = axes.pcolormesh(x, y, shown, cmap=colours, vmin=-limit, vmax=limit, edgecolors="white", linewidth=0.8)
    for (i, j), value in np.ndenumerate(values):
        shade = "black" if luminance[i, j] > 0.45 else "white"
        weight = "bold" if (i, j) in bold else "normal"
        text = "1" if i == j and rows == columns else _value_text(value)
        text = f"≈{text}" if (i, j) in approximate and np.isfinite(value) else text
        axes.text(left + j + 0.5, top + i + 0.52, text, ha="center", va="center", color=shade, weight=weight)
    return mesh


def _value_text(value: float) -> str:
    if np.isnan(value):
        return "–"
    return f"{value:z.2f}" if abs(value) < 10 else f"{value:.0f}"


def _name_axes(axes: Axes, names: list[str], edge: float) -> None:
    places = [*(k + 0.5 for k in range(len(names))), edge + 0.5]
    axes.set_yticks(places, [*names, "C_in"])
    axes.set_xticks(
        places,
        [*names, "C_out"],
        rotation=90 if _upright(names) else 45,
        ha="left",
        rotation_mode="anchor",
    )
    axes.tick_params(top=True, labeltop=True, bottom=False, labelbottom=False, length=0, pad=2)
    axes.set_xlim(0, edge + 1)
    axes.set_ylim(edge + 1, 0)
    axes.set_xlabel("to task j (its validation score)")
    axes.xaxis.set_label_position("top")
    axes.set_ylabel("from task i (trained in full)")
    axes.spines[:].set_visible(False)
