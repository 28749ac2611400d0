"""Validation scores against the amount of a task's training data, a panel a score (Figure 1b of the paper)."""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from visatb.balancing.run_names import RunName
from visatb.errors import VisatbError
from visatb.reporting.figures.style import ACCENT, COLUMN, LIGHT, OKABE_ITO, PAGE, label_width, new_figure, styled

Z95 = 1.96
JOINT, ALONE = "with the mini subsets of the other tasks", "the task alone"
LOOKS = {JOINT: (OKABE_ITO[0], "o", "-"), ALONE: (ACCENT, "s", "--")}
PANEL = 1.6
"""Smallest width of a panel in inches, its scale included."""


def learning_curves(scores: pd.DataFrame, amounts: pd.DataFrame) -> pd.DataFrame:
    """Return a row a point: ``task``, ``metric``, ``series``, ``samples``, ``value``, ``stderr``, by growing samples.

    Args:
        scores: a row a run, task and metric of the validation scores.
        amounts: a row a run and task with ``subset`` and ``samples`` (`visatb.data.mixtures.subset_amounts`). A
            run that is not in it is the model that trainings start from: no samples.

    The curve `JOINT` leads from the run on all mini subsets to that with the task's large one; runs with another task's
    large subset belong to no curve, nor do runs before new tasks came. Repetitions of a run with other seeds make one
    point, their mean. The curve `ALONE` is of runs on the task by itself, from the untrained model on.
    """
    mixtures = {str(run): rows.set_index("task") for run, rows in amounts.groupby("run", sort=False)}
    points = []
    for row in scores.itertuples():
        if RunName.parse(str(row.run)).before:
            continue
        point = _place(mixtures.get(str(row.run)), str(row.task))
        if point:
            points.append((row.task, row.metric, *point, row.value, row.stderr))
    columns = ["task", "metric", "series", "samples", "value", "stderr"]
    points_of_runs = pd.DataFrame(points, columns=columns)
    means = points_of_runs.groupby(columns[:4], sort=False, as_index=False).mean()
    return means.sort_values("samples", kind="stable", ignore_index=True)


def _place(mixture: pd.DataFrame | None, task: str) -> tuple[str, int] | None:
    if mixture is None:
        return ALONE, 0
    if task not in mixture.index:
        return None
    if len(mixture) == 1:
        return ALONE, int(mixture.loc[task, "samples"])
    others = mixture["subset"].drop(index=task)
    grows = mixture.loc[task, "subset"] != "mini"
    return (JOINT, int(mixture.loc[task, "samples"])) if grows or (others == "mini").all() else None


@styled
def data_amount_figure(curves: pd.DataFrame) -> Figure:
    """Draw `learning_curves` with 95 % intervals: samples on a logarithmic scale, scores in their metric's unit."""
    if curves.empty:
        raise VisatbError("no validation score belongs to a run of these mixtures; give both of one experiment")
    metrics = curves.groupby("task")["metric"].nunique()
    panels = {
        str(task) if metrics[task] == 1 else f"{task}:{metric}": rows
        for (task, metric), rows in curves.groupby(["task", "metric"], sort=False)
    }
    width = COLUMN if len(panels) <= 4 and label_width(panels) + 0.5 <= COLUMN / 2 else PAGE
    columns = min(len(panels), max(1, int(width / max(PANEL, label_width(panels) + 0.5))))
    rows_of_panels = -(-len(panels) // columns)
    figure = new_figure(width, 1.2 * rows_of_panels + 0.45)
    for number, (title, rows) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows_of_panels, columns, number)
        _draw(axes, rows)
        axes.set_title(title, loc="left", fontsize="medium")
    figure.supxlabel("training samples of the task", fontsize="medium")
    figure.supylabel("validation score", fontsize="medium")
    _name_series(figure)
    return figure


def _draw(axes: Axes, rows: pd.DataFrame) -> None:
    for series, points in rows.groupby("series", sort=False):
        colour, marker, line = LOOKS[str(series)]
        axes.errorbar(
            points["samples"],
            points["value"],
            Z95 * points["stderr"].fillna(0),
            color=colour,
            marker=marker,
            linestyle=line,
            markersize=3,
            capsize=1.5,
            elinewidth=0.8,
            label=str(series),
        )
    amounts = _told_apart(rows["samples"].unique().tolist())
    axes.set_xscale("symlog", linthresh=next((amount for amount in amounts if amount > 0), 1))
    axes.set_xticks(amounts, [_short(amount) for amount in amounts])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_locator(MaxNLocator(3))
    axes.margins(x=0.15)
    if (rows["value"] >= 0).all():
        axes.set_ylim(bottom=0)
    axes.grid(axis="y", color=LIGHT, linewidth=0.5)


def _told_apart(amounts: list[int]) -> list[int]:
    """Return amounts in order without those whose labels would run into the one before."""
    kept: list[int] = []
    for amount in sorted(amounts):
        if not kept or amount > 1.5 * kept[-1]:
            kept.append(amount)
    return kept


def _short(amount: int) -> str:
    return f"{amount / 1000:.3g}k" if amount >= 1000 else str(amount)


def _name_series(figure: Figure) -> None:
    pairs = [pair for axes in figure.axes for pair in zip(*axes.get_legend_handles_labels(), strict=True)]
    handles = {label: handle for handle, label in pairs}
    ncols = 2 if figure.get_figwidth() == PAGE else 1
    figure.legend(list(handles.values()), list(handles), loc="outside upper center", ncols=ncols)
