"""The explorer as one HTML file: data, equations in JavaScript, and the chart library, all inside."""

from functools import cache
from pathlib import Path
from typing import Any

import vl_convert
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from visatb.reporting.explorer.chart import ROWS, SERIES, weights_chart

FOLDER = Path(__file__).parent


def explorer_page(data: dict[str, Any]) -> str:
    """Return the page for what `visatb.reporting.explorer.data.explorer_data` returned.

    Names in ``data`` may hold anything: they reach the page as escaped JSON and are shown as text. The page's
    policy refuses every request, so that it cannot tell anybody what it shows.
    """
    pages = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return pages.get_template("page.html.jinja").render(
        experiment=data["experiment"],
        data=data,
        chart={"specification": weights_chart(), "rows": ROWS, "series": SERIES},
        style=_text("page.css"),
        library=Markup(_library()),
        program=Markup(_text("equations.js") + _text("page.js")),
    )


def _text(name: str) -> Markup:
    return Markup((FOLDER / name).read_text(encoding="utf-8"))


@cache
def _library() -> str:
    """Return Vega-Embed with Vega and Vega-Lite, bundled by vl-convert without a network."""
    bundle = vl_convert.javascript_bundle()  # type: ignore[call-arg]  # its stub wants what it does not need
    return bundle.replace("</script", "<\\/script")
