"""The explorer's chart: a Vega-Lite specification, compiled to Vega, that the page fills with rows."""

from typing import Any

import altair as alt
import vl_convert

from visatb.balancing.equations import WEIGHT_RANGE
from visatb.reporting.figures.style import ACCENT, GREY, LIGHT, OKABE_ITO

SERIES = ("what if", "current choice")
ROWS = "rows"
"""Name of the data set that the page fills: ``group``, ``series``, ``weight``, ``low``, ``high``, ``place``."""


def weights_chart() -> dict[str, Any]:
    """Return the Vega specification: a row a group, in it a mark with its interval for each of `SERIES`.

    The line at 1 is equal weighting, the band the range that the paper wants weights in.
    """
    rows = alt.Data(name=ROWS)
    group = alt.Y("group:N", sort=alt.EncodingSortField("place", op="min"), title=None)
    colours = alt.Scale(domain=list(SERIES), range=[ACCENT, OKABE_ITO[0]])
    shapes = alt.Scale(domain=list(SERIES), range=["diamond", "circle"])
    series = alt.Color("series:N", scale=colours, title=None)
    offset = alt.YOffset("series:N", scale=alt.Scale(domain=list(SERIES), paddingOuter=0.8))
    weight = alt.X("weight:Q", title="weight λ", scale=alt.Scale(zero=True, nice=True))
    tooltip = [alt.Tooltip("group:N"), alt.Tooltip("series:N", title="shown")] + [
        alt.Tooltip(f"{name}:Q", format=".3f") for name in ("weight", "low", "high")
    ]
    intervals = alt.Chart(rows).mark_rule(strokeWidth=2).encode(x="low:Q", x2="high:Q", y=group, yOffset=offset)
    points = (
        alt.Chart(rows)
        .mark_point(filled=True, size=110, opacity=1)
        .encode(
            x=weight, y=group, yOffset=offset, shape=alt.Shape("series:N", scale=shapes, title=None), tooltip=tooltip
        )
    )
    layers = alt.layer(_band(), _line_at_equal_weights(), intervals.encode(color=series), points.encode(color=series))
    assert isinstance(layers, alt.LayerChart)
    return vl_convert.vegalite_to_vega(_configured(layers).to_dict())


def _band() -> alt.Chart:
    low, high = WEIGHT_RANGE
    return alt.Chart().mark_rect(color=LIGHT, opacity=0.55).encode(x=alt.datum(low), x2=alt.datum(high))


def _line_at_equal_weights() -> alt.Chart:
    return alt.Chart().mark_rule(color=GREY, strokeDash=[4, 3]).encode(x=alt.datum(1))


def _configured(chart: alt.LayerChart) -> alt.LayerChart:
    return (
        chart.properties(width="container", height=alt.Step(44, **{"for": "position"}))
        .configure_view(stroke=None)
        .configure_axis(labelFontSize=13, titleFontSize=13, labelLimit=130, grid=False, titleFontWeight="normal")
        .configure_legend(orient="top", labelFontSize=13, symbolSize=110)
    )
