"""The weights of every task under several settings (the ablations of section 3.5 of the paper), as a heatmap."""

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from visatb.reporting.figures.contributions import LUMINANCE
from visatb.reporting.figures.style import COLUMN, label_width, new_figure, styled
from visatb.reporting.tables.tables import method_label

SMALLEST_RANGE = 2.0
"""Colours saturate at the largest weight or its inverse, at least at 2 and 1/2."""

SMALLEST_CELL, BESIDE = 0.25, 0.55
"""Widths in inches: of a cell, which holds a value such as 0.87, and of the colours' scale."""


@styled
def variants_figure(weights: pd.DataFrame) -> Figure:
    """Draw the weight of each task under each setting.

    ``weights``: indexed by task, one column a setting, all above 0. Colours are centred at 1, equal weighting, and
    weights of w and 1/w are as dark.
    """
    names, tasks = [method_label(str(name)) for name in weights.columns], [str(task) for task in weights.index]
    values = weights.to_numpy(float).T
    limit = max(SMALLEST_RANGE, values.max(), 1 / values.min())
    width = max(COLUMN, label_width(names) + SMALLEST_CELL * len(tasks) + BESIDE)
    figure = new_figure(width, 0.6 + 0.22 * len(names) + label_width(tasks))
    axes = figure.add_subplot()
    norm, colours = LogNorm(1 / limit, limit), colormaps["PuOr"]
    mesh = axes.pcolormesh(values, norm=norm, cmap=colours, edgecolors="white", linewidth=0.8)
    for (row, column), value in np.ndenumerate(values):
        dark = colours(norm(value))[:3] @ LUMINANCE <= 0.45
        colour = "white" if dark else "black"
        axes.text(column + 0.5, row + 0.52, f"{value:.2f}", ha="center", va="center", color=colour)
    axes.set_yticks(np.arange(len(names)) + 0.5, names)
    axes.set_xticks(np.arange(len(tasks)) + 0.5, tasks, rotation=90)
    axes.tick_params(length=0, pad=2)
    axes.invert_yaxis()
    axes.spines[:].set_visible(False)
    bar = figure.colorbar(mesh, ax=axes, fraction=0.04, aspect=15, pad=0.02)
    bar.set_ticks([1 / limit, 1, limit], labels=[f"{1 / limit:.2g}", "1", f"{limit:.2g}"])
    bar.ax.yaxis.set_minor_locator(NullLocator())
    bar.outline.set_visible(False)
    bar.solids.set(rasterized=False, edgecolor="face")  # type: ignore[union-attr]
    bar.set_label("weight")
    return figure
