"""Tables of text and numbers: read with their columns checked, laid out as plain text."""

import math
from collections.abc import Collection, Sequence
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from visatb.errors import VisatbError
from visatb.runtime.files import read_table


def read_columns(path: str | Path, names: Sequence[str], numbers: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table whose columns ``names`` hold text and ``numbers`` numbers; empty cells of the latter are NaN.

    A missing column, a cell that is not a number or a table without rows raises `VisatbError`.
    """
    table = read_table(path)
    missing = [column for column in (*names, *numbers) if column not in table.columns]
    if missing:
        raise VisatbError(f"{path}: has no column {', '.join(map(repr, missing))}; it has {', '.join(table.columns)}")
    if table.empty:
        raise VisatbError(f"{path}: the table has no rows")
    for column in names:
        table[column] = table[column].astype("string").fillna("").astype(object)
    for column in numbers:
        table[column] = _as_numbers(table[column], path)
    return table


def read_matrix(path: str | Path, index: str) -> pd.DataFrame:
    """Read a table of numbers with row names in the column ``index``; empty cells are NaN."""
    names = read_columns(path, [index])
    columns = [column for column in names.columns if column != index]
    table = read_columns(path, [index], columns)
    if table[index].duplicated().any():
        twice = table.loc[table[index].duplicated(), index].iloc[0]
        raise VisatbError(f"{path}: {index} {twice!r} has more than one row; expected one")
    return table.set_index(index)[columns]


def _as_numbers(column: pd.Series, path: str | Path) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    bad = column[(numbers.isna() & column.notna()) | ~numbers.fillna(0).abs().lt(math.inf)]
    if len(bad):
        raise VisatbError(
            f"{path}: column {column.name!r}, row {bad.index[0] + 1}: {bad.iloc[0]!r} is not a finite number"
        )
    return numbers


def text_table(table: pd.DataFrame, left: Collection[str] = (), right: Collection[str] = ()) -> str:
    """Lay out a table of strings as plain text.

    The columns ``left`` are left-aligned, ``right`` right-aligned, all others are aligned on their decimal points.
    """
    alignment = ["left" if c in left else "right" if c in right else "decimal" for c in table.columns]
    heads = ["left" if column in left else "right" for column in table.columns]
    return tabulate(
        table.to_numpy().tolist(),
        headers=[str(column) for column in table.columns],
        tablefmt="simple",
        disable_numparse=True,
        colalign=alignment,
        headersalign=heads,
    )
