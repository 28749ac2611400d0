"""The result files that tables, figures and texts are made from, checked for the columns they need."""

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from visatb.errors import VisatbError
from visatb.files import read_table

WEIGHTS = ("C_out", "C_in", "D", "lambda_out", "lambda_in", "lambda_D", "weight", "weight_low", "weight_high")


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


def read_training(path: str | Path) -> pd.DataFrame:
    """Read a run's `training.jsonl`: indexed by step, the column ``loss`` and one column per task's loss.

    Where a run was interrupted and a later attempt logged a step again, the later attempt counts.
    A task that was not in a step has NaN there. Broken or empty files raise `VisatbError`.
    """
    if not Path(path).is_file():
        raise VisatbError(f"{path}: no such training history")
    with Path(path).open(encoding="utf-8") as lines:
        records = [_training_record(line, f"{path}: line {n}") for n, line in enumerate(lines, 1) if line.strip()]
    if not records:
        raise VisatbError(f"{path}: no step was logged; train the run first")
    steps = {record["step"]: record for record in sorted(records, key=lambda record: record.get("attempt", 0))}
    rows = [{"loss": steps[step]["loss"], **steps[step].get("task_loss", {})} for step in sorted(steps)]
    return pd.DataFrame(rows, index=pd.Index(sorted(steps), name="step"), dtype=float)


def _training_record(line: str, place: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except json.JSONDecodeError as error:
        raise VisatbError(f"{place}: not valid JSON ({error})") from error
    if not isinstance(record, dict) or not {"step", "loss"} <= record.keys():
        raise VisatbError(f"{place}: expected an object with 'step' and 'loss'")
    return record


def read_weights(path: str | Path) -> pd.DataFrame:
    """Read `weights.tsv`: one row per task; a fixed task has only its weight and NaN elsewhere."""
    return read_columns(path, ["task", "group", "note"], WEIGHTS)


def read_benchmark(path: str | Path) -> pd.DataFrame:
    """Read `benchmark.tsv`: ``method``, one column per task or task:metric, ``dI`` and ``dE`` in percent."""
    return read_matrix(path, "method").reset_index()


def read_scores(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read one or several `scores.tsv` into one table."""
    numbers = ["value", "n", "invalid", "truncated"]
    return pd.concat([read_columns(path, ["run", "split", "task", "metric"], numbers) for path in paths])
