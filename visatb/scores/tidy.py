"""Scores as one row a run, split, task and metric."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from visatb.runtime.files import read_parquet
from visatb.scores.metrics import METRICS
from visatb.scores.paired import paired_samples
from visatb.scores.table import NO_JUDGE, about_scores
from visatb.scores.uncertainty import standard_errors


def tidy_scores(files: Iterable[tuple[str, str, str, str | Path]]) -> pd.DataFrame:
    """Return the table of scores, one row per (run, split, task, metric), from (run, split, task, file).

    ``stderr`` is empty where the spread of an imported value is not known; it takes the samples of one image as one.
    ``judge``, ``judge_tokens`` and ``judge_cost`` are empty where no judge was asked.

    Raises:
        VisatbError: a file from which no score can be computed, or no standard error of it.
    """
    rows = []
    for run, split, task, file in files:
        table = read_parquet(file)
        about = about_scores(table)
        for metric, part in table.to_pandas().groupby("metric", sort=False):
            samples = paired_samples(f"{file}, {metric}", {run: part})
            value, stderr = samples.scores()[0], standard_errors(samples)[run]
            stderr = np.nan if metric in about["unknown_spread"] else stderr
            invalid, truncated = int((~part["valid"]).sum()), int(part["truncated"].sum())
            judged = about["judge"] if METRICS[str(metric)].needs == "verdicts" else NO_JUDGE
            counts = (len(part), invalid, truncated)
            rows.append((run, split, task, metric, value, stderr, *counts, *judged.values(), about["origin"]))
    columns = ["run", "split", "task", "metric", "value", "stderr", "n", "invalid", "truncated"]
    table = pd.DataFrame(rows, columns=[*columns, "judge", "judge_tokens", "judge_cost", "origin"])
    return table.astype({"judge_tokens": "Int64", "judge_cost": "float64"})
