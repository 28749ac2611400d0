"""Scores of the zero-shot benchmarks: one row a run and benchmark, and the table methods x benchmarks with dI_zero."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from visatb.runtime.files import read_json
from visatb.scores.columns import Column, column_names
from visatb.scores.improvement import delta_i, improvement

BASELINE = "ew"


def zero_shot_scores(folder: str | Path, methods: Sequence[str], benchmarks: Sequence[str]) -> pd.DataFrame:
    """Return the scores in ``<folder>/<method>/<benchmark>.json`` under the columns of test_scores.tsv.

    ``split`` is ``zero_shot``. ``invalid`` counts empty answers, of judged ones unreadable grades. ``truncated`` is
    empty where lmms-eval does not tell it.
    """
    rows = []
    for method in methods:
        for benchmark in benchmarks:
            score = read_json(Path(folder) / method / f"{benchmark}.json")
            rows.append({"run": method, "split": "zero_shot", "task": benchmark} | score)
    names = ["run", "split", "task", "metric", "value", "stderr", "n", "invalid", "truncated"]
    table = pd.DataFrame(rows).reindex(columns=[*names, "judge", "judge_tokens", "judge_cost"])
    kinds = {"stderr": "float64", "truncated": "Int64", "judge_tokens": "Int64", "judge_cost": "float64"}
    return table.astype(kinds)


def zero_shot_table(scores: pd.DataFrame, methods: Sequence[str], columns: Sequence[Column]) -> pd.DataFrame:
    """Return ``method``, one column a benchmark and ``dI_zero`` in percent (Eq. 9 against EW).

    dI_zero is empty without EW, or where EW scores 0 in a benchmark.
    """
    table = scores.pivot(index="run", columns="task", values="value").loc[list(methods), column_names(columns)]
    overall = pd.Series(index=table.index, dtype=float)
    if BASELINE in methods and (table.loc[BASELINE] > 0).all():
        overall = delta_i(improvement(table, BASELINE, columns))
    return table.assign(dI_zero=overall).rename_axis("method").rename_axis(columns=None).reset_index()
