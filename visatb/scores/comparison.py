"""Methods of several experiments on the same test splits in one table, all against one single-task baseline."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from visatb.errors import VisatbError
from visatb.runtime.files import read_table
from visatb.runtime.tables import read_columns
from visatb.scores.benchmark import SINGLE_TASK, compared_tasks
from visatb.scores.columns import Column, column_names
from visatb.scores.improvement import delta_e, delta_i, improvement

SIZES = ["task", "metric"]


def comparison_table(folder: str | Path, experiments: Sequence[str], columns: Sequence[Column]) -> pd.DataFrame:
    """Return ``experiment``, ``method``, one column a score, and ``dI`` and ``dE`` in percent (Eq. 9).

    Both are against the STL of the first experiment that has one, for all rows: so experiments can be compared.

    Args:
        folder: holds ``<experiment>/benchmark.tsv`` and ``test_scores.tsv``.
        experiments: their names, in the order of the table.
        columns: what the scores are; every experiment must have all of them, on as many samples.

    Raises:
        VisatbError: an experiment lacks a score, or was scored on another number of samples.
    """
    names = column_names(columns)
    tables = [_scores(Path(folder) / experiment, experiment, names) for experiment in experiments]
    _check_sizes(Path(folder), experiments, columns)
    table = pd.concat(tables, ignore_index=True)
    baseline = table.index[table["method"] == SINGLE_TASK]
    overall = pd.DataFrame(index=table.index, columns=["dI", "dE"], dtype=float)
    if len(baseline):
        scores = table[names].rename(index={baseline[0]: SINGLE_TASK})
        tasks = compared_tasks(scores, columns)
        kept = [column for column in columns if column.task in tasks]
        if kept:
            own = dict(zip(columns, names, strict=True))
            renamed = scores[[own[column] for column in kept]].set_axis(column_names(kept), axis=1)
            gains = improvement(renamed, SINGLE_TASK, kept).drop(index=SINGLE_TASK)
            overall = overall.assign(dI=delta_i(gains), dE=delta_e(gains))
    return table.join(overall)


def _scores(folder: Path, experiment: str, names: Sequence[str]) -> pd.DataFrame:
    table = read_columns(folder / "benchmark.tsv", ["method"], names)[["method", *names]]
    table.insert(0, "experiment", experiment)
    return table


def _check_sizes(folder: Path, experiments: Sequence[str], columns: Sequence[Column]) -> None:
    wanted = {(column.task, column.metric) for column in columns}
    first: dict[tuple[str, str], tuple[str, int]] = {}
    for experiment in experiments:
        scores = read_table(folder / experiment / "test_scores.tsv").drop_duplicates(SIZES)
        for task, metric, n in scores[[*SIZES, "n"]].itertuples(index=False):
            other, size = first.setdefault((task, metric), (experiment, n))
            if (task, metric) in wanted and n != size:
                raise VisatbError(
                    f"{folder / experiment / 'test_scores.tsv'}: {task} has {n} samples, in {other} {size}; "
                    "experiments are compared on the same test splits alone"
                )
