"""The benchmark table: test scores of every method, with dI and dE of Eq. 9 against single-task learning."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from visatb.scores.columns import Column, column_names
from visatb.scores.improvement import delta_e, delta_i, improvement
from visatb.scores.improvement_intervals import NAMES as INTERVAL_COLUMNS
from visatb.scores.improvement_intervals import overall_intervals
from visatb.scores.paired import scored_samples
from visatb.scores.tidy import tidy_scores

SINGLE_TASK = "stl"


def test_scores(folder: str | Path, methods: Sequence[str], columns: Sequence[Column]) -> pd.DataFrame:
    """Return the tidy scores of every method's runs from ``<folder>/<run>/test/<task>.parquet``.

    STL has one run a task, ``single-<task>``; every other method is one run of its own name.
    """
    tasks = list(dict.fromkeys(column.task for column in columns))
    runs = [(f"single-{task}" if method == SINGLE_TASK else method, task) for method in methods for task in tasks]
    files = [(run, "test", task, Path(folder) / run / "test" / f"{task}.parquet") for run, task in runs]
    return tidy_scores(files)


def benchmark_table(scores: pd.DataFrame, methods: Sequence[str], columns: Sequence[Column]) -> pd.DataFrame:
    """Return ``method``, one column a score, ``dI`` and ``dE`` in percent.

    The last two are over the tasks of `compared_tasks`; they are empty without STL or such a task.
    """
    cells = scores.set_index(["run", "task", "metric"])["value"]
    rows = {}
    for method in methods:
        runs = [f"single-{column.task}" if method == SINGLE_TASK else method for column in columns]
        rows[method] = [cells[run, column.task, column.metric] for run, column in zip(runs, columns, strict=True)]
    table = pd.DataFrame.from_dict(rows, orient="index", columns=column_names(columns))
    overall = pd.DataFrame(index=table.index, columns=["dI", "dE"], dtype=float)
    compared = compared_tasks(table, columns) if SINGLE_TASK in methods else []
    if compared:
        kept = [column for column in columns if column.task in compared]
        improvements = improvement(_named(table, columns, kept), SINGLE_TASK, kept).drop(index=SINGLE_TASK)
        overall = overall.assign(dI=delta_i(improvements), dE=delta_e(improvements))
    return table.join(overall).rename_axis("method").reset_index()


def benchmark_intervals(
    folder: str | Path,
    table: pd.DataFrame,
    columns: Sequence[Column],
    replicates: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return 95 % intervals of dI and dE of every method of a `benchmark_table`, and of every difference of two.

    The columns are those of `overall_intervals`; ``folder`` holds the per-sample scores
    (`test_scores`). There are no rows without STL or a task that it can be compared in.
    """
    methods = list(table["method"])
    compared = compared_tasks(table.set_index("method"), columns) if SINGLE_TASK in methods else []
    kept = [column for column in columns if column.task in compared]
    if not kept:
        return pd.DataFrame(columns=INTERVAL_COLUMNS)
    runs = {
        method: [f"single-{column.task}" if method == SINGLE_TASK else method for column in kept] for method in methods
    }
    samples = [
        scored_samples(name, folder, "test", column, [runs[method][place] for method in methods])
        for place, (name, column) in enumerate(zip(column_names(kept), kept, strict=True))
    ]
    return overall_intervals(samples, runs, SINGLE_TASK, kept, replicates, seed)


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
