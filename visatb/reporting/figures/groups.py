"""The tree of tasks that a grouping cuts."""

from matplotlib.figure import Figure
from scipy.cluster.hierarchy import dendrogram, set_link_color_palette

from visatb.balancing.grouping import Grouping
from visatb.reporting.figures.style import ACCENT, GREY, OKABE_ITO, figure_width, new_figure, styled


@styled
def groups_figure(grouping: Grouping, label: str) -> Figure:
    """Draw the tree of a `Grouping`, a leaf a task, with the cut. ``label``: what the distance is."""
    names = list(grouping.distances.index)
    figure = new_figure(figure_width(names, 2.0), 0.7 + 0.22 * len(names))
    axes = figure.add_subplot()
    set_link_color_palette(list(OKABE_ITO[:6]))
    dendrogram(
        grouping.tree,
        orientation="right",
        labels=names,
        color_threshold=grouping.cut,
        above_threshold_color=GREY,
        ax=axes,
    )
    axes.axvline(grouping.cut, color=ACCENT, linewidth=0.8, linestyle="--")
    axes.set_xlabel(label)
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize="medium")
    return figure
