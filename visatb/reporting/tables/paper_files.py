"""Tables of papers as files."""

from collections.abc import Sequence
from pathlib import Path

from visatb.errors import VisatbError
from visatb.reporting.tables.latex import latex_table
from visatb.reporting.tables.paper_table import PaperTable, markdown_table
from visatb.runtime.files import write_text

TYPESETTERS = {".md": markdown_table, ".tex": latex_table}


def write_paper_table(paths: Sequence[Path], table: PaperTable) -> None:
    """Write a table to every path, in Markdown (.md) or LaTeX (.tex).

    Raises:
        VisatbError: a path ends otherwise.
    """
    for path in paths:
        if path.suffix not in TYPESETTERS:
            raise VisatbError(f"{path}: tables are typeset as .md or .tex; name the file so")
        write_text(path, TYPESETTERS[path.suffix](table))
