"""The benchmark table: test scores of every method, with dI and dE of Eq. 9 against single-task learning."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from visatb.scores.columns import Column, column_names
from visatb.scores.improvement import delta_e, delta_i, improvement
from visatb.scores.improvement_intervals import NAMES as INTERVAL_COLUMNS
from visatb.scores.improvement_intervals import overall_intervals
from visatb.scores.paired import scored_samples
from visatb.scores.tidy import tidy_scores

SINGLE_TASK = "stl"

Runs = Mapping[str, Mapping[str, str]]
"""Method -> task -> the run that answers it: of STL one run a task, of every other method the same one."""


def test_scores(folder: str | Path, runs: Runs) -> pd.DataFrame:
    """Return the tidy scores of every method's runs from ``<folder>/<run>/test/<task>.parquet``."""
    answered = [(run, task) for by_task in runs.values() for task, run in by_task.items()]
    return tidy_scores((run, "test", task, Path(folder) / run / "test" / f"{task}.parquet") for run, task in answered)


def benchmark_table(scores: pd.DataFrame, runs: Runs, columns: Sequence[Column]) -> pd.DataFrame:
    """Return ``method``, one column a score, ``dI`` and ``dE`` in percent.

    Args:
        scores: as `test_scores` returns them.
        runs: of every method.
        columns: what the scores are.

    The last two are over the tasks of `compared_tasks`; they are empty without STL or such a task.
    """
    cells = scores.set_index(["run", "task", "metric"])["value"]
    rows = {
        method: [cells[by_task[column.task], column.task, column.metric] for column in columns]
        for method, by_task in runs.items()
    }
    table = pd.DataFrame.from_dict(rows, orient="index", columns=column_names(columns))
    overall = pd.DataFrame(index=table.index, columns=["dI", "dE"], dtype=float)
    compared = compared_tasks(table, columns) if SINGLE_TASK in runs else []
    if compared:
        kept = [column for column in columns if column.task in compared]
        improvements = improvement(_named(table, columns, kept), SINGLE_TASK, kept).drop(index=SINGLE_TASK)
        overall = overall.assign(dI=delta_i(improvements), dE=delta_e(improvements))
    return table.join(overall).rename_axis("method").reset_index()


def benchmark_intervals(
    folder: str | Path,
    table: pd.DataFrame,
    runs: Runs,
    columns: Sequence[Column],
    replicates: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return 95 % intervals of dI and dE of every method of a `benchmark_table`, and of every difference of two.

    The columns are those of `overall_intervals`. There are no rows without STL or a task that it can be compared in.

    Args:
        folder: holds the per-sample scores (`test_scores`).
        table: whose methods are compared.
        runs: of every method.
        columns: what the scores are.
        replicates: draws of the bootstrap.
        seed: of these draws.
    """
    methods = list(table["method"])
    compared = compared_tasks(table.set_index("method"), columns) if SINGLE_TASK in methods else []
    kept = [column for column in columns if column.task in compared]
    if not kept:
        return pd.DataFrame(columns=INTERVAL_COLUMNS)
    compared_runs = {method: [runs[method][column.task] for column in kept] for method in methods}
    samples = [
        scored_samples(name, folder, "test", column, [compared_runs[method][number] for method in methods])
        for number, (name, column) in enumerate(zip(column_names(kept), kept, strict=True))
    ]
    return overall_intervals(samples, compared_runs, SINGLE_TASK, kept, replicates, seed)


def lower_is_better(columns: Sequence[Column]) -> list[str]:
    """Return the headings of the columns in which small is good."""
    return [name for name, column in zip(column_names(columns), columns, strict=True) if not column.higher_is_better]


def compared_tasks(table: pd.DataFrame, columns: Sequence[Column]) -> list[str]:
    """Return the tasks in which a share of STL's score means something: all of STL's scores there are above 0."""
    useless = {
        column.task
        for name, column in zip(column_names(columns), columns, strict=True)
        if not table.loc[SINGLE_TASK, name] > 0
    }
    return [task for task in dict.fromkeys(column.task for column in columns) if task not in useless]


def _named(table: pd.DataFrame, columns: Sequence[Column], kept: Sequence[Column]) -> pd.DataFrame:
    names = dict(zip(columns, column_names(columns), strict=True))
    return table[[names[column] for column in kept]].set_axis(column_names(kept), axis=1)
