"""The relative improvement of every method over single-task training, task by task (I of Eq. 9)."""

from collections.abc import Collection

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from visatb.reporting.figures.style import (
    ACCENT,
    COLUMN,
    GREY,
    LIGHT,
    MARKERS,
    OKABE_ITO,
    figure_width,
    label_width,
    name_rows,
    new_figure,
    styled,
)
from visatb.reporting.tables.tables import BASELINE, OVERALL_LABELS, method_label

FOCUS = method_label("visatb")
COLOURS = tuple(colour for colour in OKABE_ITO if colour != ACCENT)
MEAN = "mean (ΔI)"
REFERENCES = (BASELINE, method_label("ew"))
"""What methods are compared with: the first of these that was trained."""


def reference_of(benchmark: pd.DataFrame) -> str | None:
    """Return the method that the others are compared with: STL, or EW without it; None if that leaves nothing."""
    methods = [method_label(str(method)) for method in benchmark["method"]]
    present = [method for method in REFERENCES if method in methods]
    return present[0] if present and len(methods) > 1 else None


def relative_improvements(
    benchmark: pd.DataFrame, reference: str, lower_is_better: Collection[str] = ()
) -> pd.DataFrame:
    """Return 100 I (Eq. 9) in percent against the row of ``reference``: methods x score columns.

    ``lower_is_better`` names columns whose sign is turned. Where the reference scores 0, I is undefined: NaN.
    """
    scores = benchmark.drop(columns=["method", *OVERALL_LABELS], errors="ignore")
    scores.index = pd.Index([method_label(str(method)) for method in benchmark["method"]])
    base = scores.loc[reference].where(lambda values: values != 0)
    sign = pd.Series([-1.0 if column in lower_is_better else 1.0 for column in scores.columns], scores.columns)
    return 100.0 * sign * (scores.drop(index=reference) - base) / base


@styled
def benchmark_figure(benchmark: pd.DataFrame, lower_is_better: Collection[str] = ()) -> Figure:
    """Draw `relative_improvements`: a row per score column, a marker per method, and dI in the last row.

    ``benchmark``: the columns ``method``, one per task or task:metric, ``dI``, ``dE`` (percent, against STL).
    """
    reference = reference_of(benchmark)
    if reference is None:
        return nothing_to_compare()
    change = relative_improvements(benchmark, reference, lower_is_better)
    overall = benchmark.set_index(benchmark["method"].map(method_label))[["dI", "dE"]].loc[change.index]
    undefined = change.isna().all()
    names = [f"{column} (undefined)" if undefined[column] else column for column in change.columns]
    if reference == BASELINE:
        names.append(MEAN)
        change[MEAN] = overall["dI"]
        change.index = [f"{name} (ΔI {d.dI:z.2f}, ΔE {d.dE:z.2f})" for name, d in overall.iterrows()]
    width = figure_width(names, 1.9)
    columns = max(1, int(width / (label_width(change.index) + 0.3)))
    figure = new_figure(width, 0.55 + 0.2 * len(names) + 0.16 * -(-len(change) // columns))
    axes = figure.add_subplot()
    _draw(axes, change)
    name_rows(axes, names)
    axes.set_xlabel(f"improvement over {reference} (%)")
    figure.legend(loc="outside upper center", ncols=columns, columnspacing=1, handletextpad=0.3)
    return figure


def nothing_to_compare() -> Figure:
    """Return a picture that says so."""
    figure = new_figure(COLUMN, 0.5)
    words = f"Nothing to compare: this figure needs {' or '.join(REFERENCES)}\nand one method more."
    figure.text(0.5, 0.5, words, ha="center", va="center", color=GREY)
    return figure


def _draw(axes: Axes, change: pd.DataFrame) -> None:
    rows = np.arange(change.shape[1])
    lanes = np.linspace(-0.24, 0.24, len(change)) if len(change) > 1 else [0.0]
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.hlines(rows[:-1] + 0.5, 0, 1, transform=axes.get_yaxis_transform(), color=LIGHT, linewidth=0.5)
    if MEAN in change:
        axes.axhspan(rows[-1] - 0.5, rows[-1] + 0.5, color=LIGHT, alpha=0.55, linewidth=0)
    for k, (method, values) in enumerate(change.iterrows()):
        colour, marker = (ACCENT, "D") if str(method).startswith(FOCUS) else _look(k)
        axes.plot(values, rows + lanes[k], marker, color=colour, markersize=4, label=str(method), linestyle="none")


def _look(k: int) -> tuple[str, str]:
    return COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
