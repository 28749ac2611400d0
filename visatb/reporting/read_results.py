"""The result files that tables, figures and texts are made from, checked for the columns they need."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from visatb.errors import VisatbError
from visatb.runtime.files import read_table
from visatb.runtime.tables import read_columns, read_matrix
from visatb.training.history_file import read_training_log

WEIGHTS = ("C_out", "C_in", "D", "lambda_out", "lambda_in", "lambda_D", "weight", "weight_low", "weight_high")


def read_training(path: str | Path) -> pd.DataFrame:
    """Read a run's `training.jsonl`: indexed by step, the column ``loss`` and one column per task's loss.

    Where a run was interrupted and a later attempt logged a step again, the later attempt counts. A line that
    the interruption cut short is passed over. A task that was not in a step has NaN there.
    A file without a single whole line raises `VisatbError`.
    """
    steps = _logged_steps(path)
    rows = [{"loss": record["loss"], **record.get("task_loss", {})} for record in steps.values()]
    return pd.DataFrame(rows, index=pd.Index(list(steps), name="step"), dtype=float)


def read_weight_history(path: str | Path) -> pd.DataFrame:
    """Read the weights in a run's `training.jsonl`: indexed by step, one column per task; no columns if none are there.

    As of `read_training`, the later attempt at a step counts.
    """
    steps = _logged_steps(path)
    rows = [record.get("weights", {}) for record in steps.values()]
    return pd.DataFrame(rows, index=pd.Index(list(steps), name="step"), dtype=float)


def _logged_steps(path: str | Path) -> dict[int, dict[str, Any]]:
    records = sorted(read_training_log(path), key=lambda record: record.get("attempt", 0))
    steps = {record["step"]: record for record in records}
    return dict(sorted(steps.items()))


def read_weights(path: str | Path) -> pd.DataFrame:
    """Read `weights.tsv`: one row per task; a fixed task has only its weight and NaN elsewhere."""
    return read_columns(path, ["task", "group", "note"], WEIGHTS)


def read_variants(names: Sequence[str], paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read the weights of several `weights.tsv`: indexed by task, one column a name. Fixed tasks are left out."""
    tables = {name: read_weights(path) for name, path in zip(names, paths, strict=True)}
    balanced = {name: table[table["group"] != ""].set_index("task")["weight"] for name, table in tables.items()}
    return pd.DataFrame(balanced)


def read_benchmark(path: str | Path) -> pd.DataFrame:
    """Read `benchmark.tsv`: ``method``, one column per task or task:metric, ``dI`` and ``dE`` in percent."""
    return read_matrix(path, "method").reset_index()


def read_scores(paths: Sequence[str | Path]) -> pd.DataFrame:
    """Read one or several `scores.tsv` into one table."""
    numbers = ["value", "n", "invalid", "truncated"]
    return pd.concat([read_columns(path, ["run", "split", "task", "metric"], numbers) for path in paths])


def read_validation_scores(path: str | Path) -> pd.DataFrame:
    """Read `validation_scores.tsv`: ``run``, ``task``, ``metric``, ``value`` and its ``stderr``."""
    return read_columns(path, ["run", "task", "metric"], ["value", "stderr"])


def read_contributions(path: str | Path) -> pd.DataFrame:
    """Read `contributions.tsv`: C[i -> j], indexed and headed by the same groups in the same order."""
    table = read_matrix(path, "from")
    if list(table.index) != list(table.columns) or table.isna().to_numpy().any():
        raise VisatbError(
            f"{path}: expected one value for every pair of groups, rows and columns in the same order; "
            f"found rows {', '.join(table.index)} and columns {', '.join(table.columns)}"
        )
    return table


def read_intervals(path: str | Path) -> pd.DataFrame:
    """Read `contributions_intervals.tsv`: ``from``, ``to``, ``value``, ``low``, ``high``."""
    return read_columns(path, ["from", "to"], ["value", "low", "high"])


def read_comparison(path: str | Path) -> pd.DataFrame:
    """Read `weights_comparison.tsv`: ``group``, ``other``, ``difference``, ``low``, ``high``, ``told_apart``."""
    return read_columns(path, ["group", "other", "told_apart"], ["difference", "low", "high"])


def read_overall_intervals(path: str | Path) -> pd.DataFrame | None:
    """Read `benchmark_intervals.tsv`; None where it has no rows, for want of a baseline."""
    if read_table(path).empty:
        return None
    return read_columns(path, ["method", "other", "quantity"], ["value", "low", "high"])


def read_margins(path: str | Path, groups: Iterable[str]) -> pd.DataFrame:
    """Read C_out and C_in of ``groups`` from `weights.tsv`, indexed by group: the tasks of a group share them."""
    weights = read_weights(path).drop_duplicates("group").set_index("group")
    missing = [group for group in groups if group not in weights.index]
    if missing:
        raise VisatbError(f"{path}: no task of group {', '.join(missing)}; make it from the same contributions")
    return weights.loc[list(groups), ["C_out", "C_in"]]


def history_of(models: Iterable[Path]) -> dict[str, Path]:
    """Return run -> its `training.jsonl`, which lies beside its model ``runs/<run>/model``."""
    return {model.parent.name: model.with_name("training.jsonl") for model in models}


def read_histories(paths: Iterable[str | Path]) -> dict[str, pd.DataFrame]:
    """Read the `runs/<run>/training.jsonl` of several runs: run -> history, in the order given."""
    return {Path(path).parent.name: read_training(path) for path in paths}
