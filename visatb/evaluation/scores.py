"""From predictions to per-sample scores, and from those to the tables of scores."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from visatb.errors import VisatbError, bullet_list
from visatb.evaluation.metrics import METRICS
from visatb.evaluation.verdicts import judge_use, verdict_texts
from visatb.files import read_parquet, write_parquet
from visatb.origins import MEASURED
from visatb.paired_samples import paired_samples
from visatb.uncertainty import standard_errors

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
ABOUT = b"visatb"
"""Key of a score file's metadata: the metrics' versions and, of judged answers, who judged at what cost, as JSON."""

NO_JUDGE: dict[str, Any] = {"judge": None, "tokens": None, "cost": None}


def score_tasks(
    predictions: str | Path,
    metrics: Mapping[str, Sequence[str]],
    output: str | Path,
    verdicts: str | Path | None = None,
    origin: str | None = None,
) -> None:
    """Score the answers of one model, task by task, from ``<task>.parquet`` in one folder to another.

    Args:
        predictions: the folder of the answers.
        metrics: task -> names in `METRICS`.
        output: the folder that is to hold the scores.
        verdicts: the folder of a judge's verdicts, if a metric needs them.
        origin: as for `score_predictions`.

    Raises:
        VisatbError: names every task that could not be scored, once all others are.
    """
    mistakes = {}
    for task, names in metrics.items():
        is_judged = any(METRICS[name].needs == "verdicts" for name in names)
        try:
            judged = read_parquet(Path(verdicts) / f"{task}.parquet") if verdicts and is_judged else None
            answers = read_parquet(Path(predictions) / f"{task}.parquet")
            write_parquet(Path(output) / f"{task}.parquet", score_predictions(answers, names, judged, origin))
        except VisatbError as mistake:
            mistakes[task] = f"{task}: {mistake}"
    if mistakes:
        raise VisatbError(f"{', '.join(mistakes)} could not be scored:\n{bullet_list(mistakes.values())}")


def score_predictions(
    predictions: pa.Table, metrics: Sequence[str], verdicts: pa.Table | None = None, origin: str | None = None
) -> pa.Table:
    """Return one row per sample and metric (`SCORE_SCHEMA`) for a table of predictions.

    Args:
        predictions: `visatb.evaluation.predictions.PREDICTION_SCHEMA`.
        metrics: names in `METRICS`.
        verdicts: a judge's on these predictions (`visatb.evaluation.verdicts.VERDICT_SCHEMA`), if a metric needs them.
        origin: where the model that answered comes from, if it was not trained here.

    Raises:
        VisatbError: verdicts are needed and missing, or are on other predictions; truths that a metric cannot use.
    """
    truths = predictions["truths"].to_pylist()
    truncated = [reason == "length" for reason in predictions["finish_reason"].to_pylist()]
    parts = []
    for name in metrics:
        scores = METRICS[name].score(_scored_texts(name, predictions, verdicts), truths)
        columns = [
            predictions["id"].combine_chunks(),
            predictions["image"].combine_chunks(),
            pa.array([name] * len(truths), pa.string()),
            pa.array(scores.numerators),
            pa.array(scores.denominators),
            pa.array(scores.valid),
            pa.array(truncated),
        ]
        parts.append(pa.Table.from_arrays(columns, schema=SCORE_SCHEMA))
    used = NO_JUDGE if verdicts is None else judge_use(verdicts)
    about: dict[str, Any] = {"versions": {name: METRICS[name].version for name in metrics}, "judge": used}
    about |= {} if origin is None else {"origin": origin}
    return pa.concat_tables(parts).replace_schema_metadata({ABOUT: json.dumps(about)})


def _scored_texts(metric: str, predictions: pa.Table, verdicts: pa.Table | None) -> list[str]:
    if METRICS[metric].needs != "verdicts":
        return predictions["prediction"].to_pylist()
    if verdicts is None:
        raise VisatbError(f"the metric {metric} needs a judge's verdicts on the predictions; run judge.py first")
    return verdict_texts(predictions["id"].to_pylist(), verdicts)


def about_scores(table: pa.Table) -> dict[str, Any]:
    """Return what a file of scores says of itself.

    ``versions`` of its metrics; ``judge``; of scores that come from elsewhere ``origin``, and the metrics that are
    ``unpaired`` (their samples are no other run's) and those of ``unknown_spread``.
    """
    absent = {"origin": MEASURED, "unpaired": [], "unknown_spread": []}
    return absent | json.loads((table.schema.metadata or {}).get(ABOUT, b"{}"))


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
