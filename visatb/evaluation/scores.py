"""From predictions to per-sample scores, and from those to the tables of scores."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd
import pyarrow as pa

from visatb.evaluation.metrics import METRICS
from visatb.files import read_parquet
from visatb.uncertainty import paired_samples, standard_errors

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


def tidy_scores(files: Iterable[tuple[str, str, str, str | Path]]) -> pd.DataFrame:
    """Return the table of scores, one row per (run, split, task, metric), from (run, split, task, file).

    ``stderr`` takes the samples of one image as one.

    Raises:
        VisatbError: a file from which no score can be computed, or no standard error of it.
    """
    rows = []
    for run, split, task, file in files:
        table = read_parquet(file).to_pandas()
        for metric, part in table.groupby("metric", sort=False):
            samples = paired_samples(f"{file}, {metric}", {run: part})
            value, stderr = samples.scores()[0], standard_errors(samples)[run]
            invalid, truncated = int((~part["valid"]).sum()), int(part["truncated"].sum())
            rows.append((run, split, task, metric, value, stderr, len(part), invalid, truncated))
    columns = ["run", "split", "task", "metric", "value", "stderr", "n", "invalid", "truncated"]
    return pd.DataFrame(rows, columns=columns)
