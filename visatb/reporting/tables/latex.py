"""Tables in LaTeX, as papers have them: rules of the package booktabs, best bold, second best underlined."""

import re
from collections.abc import Sequence

from visatb.reporting.tables.paper_table import BEST, SECOND, Heading, PaperTable

PREAMBLE = "% Needs \\usepackage{booktabs}. Put it into a table environment with \\input.\n"
_MARKS = {BEST: r"\textbf{%s}", SECOND: r"\underline{%s}"}
_SPECIAL = {character: "\\" + character for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': "''",
    "[": "{[}",
    "]": "{]}",
    "\n": " ",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "Δ": r"$\Delta$",
    "α": r"$\alpha$",
    "λ": r"$\lambda$",
    "–": "--",
}
_MINUS = re.compile(r"^-(?=\d)")
_SYMBOL = re.compile(r"([λΔ][A-Z]?)_(\w+)")
"""A symbol with its index, e.g. λ_out or ΔI_zero, which mathematics sets below the line."""


def escape_latex(text: str) -> str:
    """Return LaTeX that shows ``text`` literally; arrows and Greek letters of our headings become mathematics."""
    parts, end = [], 0
    for match in _SYMBOL.finditer(text):
        parts += [_escape(text[end : match.start()]), _indexed(*match.groups())]
        end = match.end()
    return "".join([*parts, _escape(text[end:])])


def _escape(text: str) -> str:
    return "".join(_SPECIAL.get(character, character) for character in text)


def _indexed(symbol: str, index: str) -> str:
    letters = {"λ": r"\lambda", "Δ": r"\Delta "}[symbol[0]] + symbol[1:]
    return rf"${letters}_{{\mathrm{{{_escape(index)}}}}}$"


def latex_table(table: PaperTable) -> str:
    """Return a ``tabular``: groups span their columns, below them names and units; a rule between blocks."""
    align = "l" + "".join(heading.align[0] for heading in table.headings)
    lines = [f"\\begin{{tabular}}{{{align}}}", "\\toprule", *_head(table)]
    for block in table.blocks:
        rows = [[escape_latex(row.label), *(_cell(*cell) for cell in row.marked_cells())] for row in block]
        lines += ["\\midrule", *map(_row, rows)]
    return PREAMBLE + "\n".join([*lines, "\\bottomrule", "\\end{tabular}"]) + "\n"


def _row(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _cell(text: str, rank: int) -> str:
    shown = _MINUS.sub("$-$", escape_latex(text))
    return _MARKS.get(rank, "%s") % shown if text else ""


def _head(table: PaperTable) -> list[str]:
    headings = [Heading(table.corner, align="left"), *table.headings]
    _, names, units = zip(*(heading.lines for heading in headings), strict=True)
    levels = [level for level in (names, units) if any(level)]
    lines = [[_centred(text, heading) for text, heading in zip(level, headings, strict=True)] for level in levels]
    return _group_lines(table) + list(map(_row, lines))


def _centred(text: str, heading: Heading) -> str:
    escaped = escape_latex(text)
    return escaped if heading.align == "left" or not text else rf"\multicolumn{{1}}{{c}}{{{escaped}}}"


def _group_lines(table: PaperTable) -> list[str]:
    """Return the row of groups, and the rules below them; nothing where no column has a group."""
    spans = table.group_spans()
    if not any(group for group, _ in spans):
        return []
    cells, rules, first = [""], [], 2
    for group, width in spans:
        cells.append(rf"\multicolumn{{{width}}}{{c}}{{{escape_latex(group)}}}")
        if group:
            rules.append(rf"\cmidrule(lr){{{first}-{first + width - 1}}}")
        first += width
    return [_row(cells), " ".join(rules)]
