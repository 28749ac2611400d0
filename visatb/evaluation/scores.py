"""From predictions to per-sample scores, and from those to the tables of scores."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from visatb.errors import VisatbError
from visatb.evaluation.metrics import METRICS
from visatb.files import read_parquet

SCORE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("metric", pa.string()),
        ("numerator", pa.float64()),
        ("denominator", pa.float64()),
        ("valid", pa.bool_()),
        ("truncated", pa.bool_()),
    ]
)


def score_predictions(predictions: pa.Table, metrics: Sequence[str]) -> pa.Table:
    """Return one row per sample and metric (`SCORE_SCHEMA`) for a table of predictions."""
    answers, truths = predictions["prediction"].to_pylist(), predictions["truths"].to_pylist()
    truncated = [reason == "length" for reason in predictions["finish_reason"].to_pylist()]
    parts = []
    for name in metrics:
        scores = METRICS[name].score(answers, truths)
        columns = [
            predictions["id"].combine_chunks(),
            predictions["image"].combine_chunks(),
            pa.array([name] * len(answers), pa.string()),
            pa.array(scores.numerators),
            pa.array(scores.denominators),
            pa.array(scores.valid),
            pa.array(truncated),
        ]
        parts.append(pa.Table.from_arrays(columns, schema=SCORE_SCHEMA))
    return pa.concat_tables(parts)


def ratio_of_sums(numerators: np.ndarray, denominators: np.ndarray) -> tuple[float, float]:
    """Return sum(numerators) / sum(denominators) and its standard error by the delta method."""
    total, n = denominators.sum(), len(numerators)
    value = numerators.sum() / total
    residuals = numerators - value * denominators
    error = np.sqrt(n / (n - 1) * (residuals**2).sum()) / total if n > 1 else 0.0
    return float(value), float(error)


def tidy_scores(files: Iterable[tuple[str, str, str, str | Path]]) -> pd.DataFrame:
    """Return the table of scores, one row per (run, split, task, metric), from (run, split, task, file)."""
    rows = []
    for run, split, task, file in files:
        table = read_parquet(file).to_pandas()
        for metric, part in table.groupby("metric", sort=False):
            numerators, denominators = part["numerator"].to_numpy(), part["denominator"].to_numpy()
            if not (np.isfinite(numerators).all() and 0 < denominators.sum() < np.inf):
                raise VisatbError(
                    f"{file}: {metric} cannot be computed, its denominators sum to {denominators.sum():g}"
                )
            value, stderr = ratio_of_sums(numerators, denominators)
            invalid, truncated = int((~part["valid"]).sum()), int(part["truncated"].sum())
            rows.append((run, split, task, metric, value, stderr, len(part), invalid, truncated))
    columns = ["run", "split", "task", "metric", "value", "stderr", "n", "invalid", "truncated"]
    return pd.DataFrame(rows, columns=columns)
