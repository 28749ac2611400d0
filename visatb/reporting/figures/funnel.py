"""What each stage of TaskGalaxy was given, and what of it went on."""

import pandas as pd
from matplotlib.figure import Figure

from visatb.reporting.figures.style import COLUMN, GREY, LIGHT, OKABE_ITO, name_rows, new_figure, styled

NAMES = {
    "expand_types": "types named",
    "deduplicate_types": "types distinct",
    "list_images": "pictures usable",
    "match_types": "matches within floor and cap",
    "filter_types": "matches that suit",
    "write_questions": "questions written",
    "vote": "samples accepted",
    "export_taskgalaxy": "samples in tasks",
}


@styled
def funnel_figure(table: pd.DataFrame) -> Figure:
    """Draw ``funnel.tsv``: a bar a stage, the share of what it was given that went on, and both numbers."""
    figure = new_figure(COLUMN * 1.4, 0.24 * len(table) + 0.4)
    axes = figure.add_subplot()
    shares = 100 * table["kept"] / table["given"].where(table["given"] > 0)
    axes.barh(range(len(table)), [100] * len(table), color=LIGHT, height=0.7)
    axes.barh(range(len(table)), shares.fillna(0), color=OKABE_ITO[0], height=0.7)
    for position, row in enumerate(table.itertuples()):
        axes.text(102, position, f"{row.kept:,} of {row.given:,}", va="center", ha="left", color=GREY)
    name_rows(axes, [NAMES[stage] for stage in table["stage"]])
    axes.set_xlim(0, 150)
    axes.set_xticks([0, 50, 100])
    axes.spines["bottom"].set_bounds(0, 100)
    axes.set_xlabel("share that went on, in percent")
    return figure
