"""What every run took: hours of its training and of its answers."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from visatb.reporting.figures.style import GREY, OKABE_ITO, figure_width, name_rows, new_figure, styled
from visatb.reporting.tables.tables import method_label

PARTS = (("training_hours", "training"), ("prediction_hours", "answers"))
UNITS = (("days", 24.0), ("hours", 1.0), ("minutes", 1 / 60), ("seconds", 1 / 3600))


@styled
def cost_figure(runs: pd.DataFrame) -> Figure:
    """Draw a bar per run; columns: ``run`` and those of `PARTS` (NaN: none)."""
    names = [method_label(str(run)) for run in runs["run"]]
    figure = new_figure(figure_width(names, 1.6), 0.75 + 0.17 * len(names))
    axes = figure.add_subplot()
    rows, start = np.arange(len(names)), np.zeros(len(names))
    hours = runs[[column for column, _ in PARTS]].fillna(0).to_numpy(float)
    unit, size = next(((name, size) for name, size in UNITS if hours.sum(axis=1).max() >= size), UNITS[-1])
    for k, (_, label) in enumerate(PARTS):
        axes.barh(rows, hours[:, k] / size, 0.68, left=start, color=OKABE_ITO[(0, 5)[k]], label=label)
        start += hours[:, k] / size
    for row, end in enumerate(start):
        axes.annotate(f"{end:.3g}", (end, row), (3, 0), textcoords="offset points", va="center")
    axes.axvline(0, color=GREY, linewidth=0.6)
    axes.margins(x=0.14)
    name_rows(axes, names)
    axes.set_xlabel(unit)
    figure.legend(loc="outside upper center", ncols=2, columnspacing=1, handletextpad=0.4)
    return figure
