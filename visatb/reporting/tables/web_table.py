"""Tables as pages that a report can show."""

from pathlib import Path

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

FOLDER = Path(__file__).parent
DIGITS = 4


def web_table(table: pd.DataFrame, title: str) -> str:
    """Return a page with ``table``: text to the left, numbers to the right with `DIGITS` digits, gaps as dashes.

    Whatever names hold is shown as text.
    """
    pages = Environment(loader=FileSystemLoader(FOLDER), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    numeric = [pd.api.types.is_numeric_dtype(table[column]) for column in table.columns]
    rows = [
        [(_shown(cell), is_number) for cell, is_number in zip(row, numeric, strict=True)]
        for row in table.itertuples(index=False, name=None)
    ]
    heads = list(zip(map(str, table.columns), numeric, strict=True))
    return pages.get_template("web_table.html.jinja").render(title=title, heads=heads, rows=rows)


def _shown(cell: object) -> str:
    if pd.isna(cell):
        return "–"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 10**DIGITS or cell == int(cell) else f"{cell:.{DIGITS}g}"
    return f"{cell:,}" if isinstance(cell, int) and not isinstance(cell, bool) else str(cell)
