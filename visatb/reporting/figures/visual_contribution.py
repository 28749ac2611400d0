"""How the visual contribution of answers is distributed: a panel a task, a line a run (L2T, Fig. 5)."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visatb.balancing.run_names import SINGLE, stage
from visatb.errors import VisatbError
from visatb.reporting.figures.style import GREY, LINES, OKABE_ITO, PAGE, new_figure, styled
from visatb.reporting.tables.tables import BASELINE, method_label

BINS = 40
SHOWN = (0.5, 99.5)
"""Percentiles of the values that the axis reaches to; the few beyond are counted in the outermost bins."""


@styled
def visual_contribution_figure(samples: Mapping[tuple[str, str], pd.DataFrame]) -> Figure:
    """Draw the histograms of ``contribution``.

    Args:
        samples: (run, task) -> a row a sample.

    Raises:
        VisatbError: there is no sample at all.
    """
    filled = {key: table["contribution"].to_numpy() for key, table in samples.items() if len(table)}
    if not filled:
        raise VisatbError("no sample has an image, so there is no visual contribution to draw")
    tasks = list(dict.fromkeys(task for _, task in filled))
    columns = min(2, len(tasks))
    rows = -(-len(tasks) // columns)
    figure = new_figure(PAGE * columns / 2, rows * 1.75 + 0.1)
    looks = _looks([_label(run) for run, _ in filled])
    for number, task in enumerate(tasks, start=1):
        axes = figure.add_subplot(rows, columns, number)
        _draw(axes, {_label(run): values for (run, of), values in filled.items() if of == task}, looks)
        axes.set_title(task, loc="left")
    return figure


def _label(run: str) -> str:
    return BASELINE if stage(run) == SINGLE else method_label(run)


def _looks(labels: list[str]) -> dict[str, tuple[str, str]]:
    colours = len(OKABE_ITO)
    return {
        label: (OKABE_ITO[number % colours], LINES[number // colours % len(LINES)])
        for number, label in enumerate(dict.fromkeys(labels))
    }


def _draw(axes: Axes, values: Mapping[str, np.ndarray], looks: Mapping[str, tuple[str, str]]) -> None:
    low, high = np.percentile(np.concatenate(list(values.values())), SHOWN)
    edges = np.linspace(min(low, 0.0), max(high, low + 1e-6, 0.0), BINS + 1)
    axes.axvline(0, color=GREY, linewidth=0.6, linestyle=":")
    for label, numbers in values.items():
        colour, line = looks[label]
        shares = np.histogram(np.clip(numbers, edges[0], edges[-1]), edges)[0] / len(numbers)
        axes.stairs(shares, edges, color=colour, linestyle=line, label=f"{label}: mean {numbers.mean():.2f}")
    axes.set_xlabel("log p with the image - log p with noise")
    axes.set_ylabel("share of answers")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0), borderaxespad=0, labelspacing=0.25)
