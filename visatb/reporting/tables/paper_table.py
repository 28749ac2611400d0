"""What a table of a paper is, before it is typeset: headings in levels, blocks of rows, the best values marked.

`markdown_table` typesets it here, `visatb.reporting.tables.latex` for LaTeX.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from tabulate import tabulate

BEST, SECOND = 1, 2
_MARKDOWN_SPECIAL = re.compile(r"([\\`*_{}\[\]#|$~])")
_MARKS = {BEST: "**{}**", SECOND: "<u>{}</u>"}


@dataclass(frozen=True)
class Heading:
    """The heading of a column.

    Attributes:
        name: e.g. the task.
        unit: what is printed below the name, e.g. the metric.
        arrow: says whether high or low is better, behind the unit, or behind the name where there is none.
        group: what is printed above the names of neighbours that share it; empty: nothing.
        align: numbers stand right, words left.
    """

    name: str
    unit: str = ""
    arrow: str = ""
    group: str = ""
    align: Literal["left", "right"] = "right"

    @property
    def lines(self) -> tuple[str, str, str]:
        """Group, name, unit as they stand below each other, with the arrow in its place."""
        if self.unit:
            return self.group, self.name, f"{self.unit} {self.arrow}".strip()
        return self.group, f"{self.name} {self.arrow}".strip(), ""


@dataclass(frozen=True)
class Row:
    """A row: its label, a string a column, and each cell's place (`BEST`, `SECOND` or 0)."""

    label: str
    cells: Sequence[str]
    places: Sequence[int] = field(default_factory=tuple)

    def marked_cells(self) -> list[tuple[str, int]]:
        """Return (text, place) of every cell; a row without places has none marked."""
        return list(zip(self.cells, self.places or [0] * len(self.cells), strict=True))


@dataclass(frozen=True)
class PaperTable:
    """A table: what its rows are, the headings of the other columns, and blocks of rows with a rule between them."""

    corner: str
    headings: Sequence[Heading]
    blocks: Sequence[Sequence[Row]]

    def group_spans(self) -> list[tuple[str, int]]:
        """Return (group, columns) for each stretch of neighbours that share a group."""
        spans: list[tuple[str, int]] = []
        for heading in self.headings:
            if spans and spans[-1][0] == heading.group:
                spans[-1] = (heading.group, spans[-1][1] + 1)
            else:
                spans.append((heading.group, 1))
        return spans


def markdown_table(table: PaperTable) -> str:
    """Return Markdown: the levels of a heading are lines of one cell, and every block is a table of its own."""
    heads = [table.corner] + [
        "<br>".join(map(escape_markdown, filter(None, heading.lines))) for heading in table.headings
    ]
    align = ["left"] + [heading.align for heading in table.headings]
    tables = []
    for block in table.blocks:
        rows = [[escape_markdown(row.label)] + [_markdown_cell(*cell) for cell in row.marked_cells()] for row in block]
        tables.append(tabulate(rows, headers=heads, tablefmt="pipe", disable_numparse=True, colalign=align))
    return "\n\n".join(tables) + "\n"


def _markdown_cell(text: str, rank: int) -> str:
    return _MARKS.get(rank, "{}").format(escape_markdown(text)) if text else ""


def escape_markdown(text: str) -> str:
    """Return Markdown that shows ``text`` literally, inside a table cell too."""
    plain = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
    return _MARKDOWN_SPECIAL.sub(r"\\\1", plain)
