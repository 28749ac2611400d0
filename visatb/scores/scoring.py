"""From predictions to per-sample scores, and from those to the tables of scores."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from visatb.errors import VisatbError, bullet_list
from visatb.runtime.files import read_parquet, write_parquet
from visatb.scores.metrics import METRICS
from visatb.scores.table import ABOUT, NO_JUDGE, SCORE_SCHEMA
from visatb.scores.verdicts import judge_usage, verdict_texts


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
        verdicts: a judge's on these predictions (`visatb.scores.verdicts.VERDICT_SCHEMA`), if a metric needs them.
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
    used = NO_JUDGE if verdicts is None else judge_usage(verdicts)
    about: dict[str, Any] = {"versions": {name: METRICS[name].version for name in metrics}, "judge": used}
    about |= {} if origin is None else {"origin": origin}
    return pa.concat_tables(parts).replace_schema_metadata({ABOUT: json.dumps(about)})


def _scored_texts(metric: str, predictions: pa.Table, verdicts: pa.Table | None) -> list[str]:
    if METRICS[metric].needs != "verdicts":
        answers: list[str] = predictions["prediction"].to_pylist()
        return answers
    if verdicts is None:
        raise VisatbError(f"the metric {metric} needs a judge's verdicts on the predictions; have them judged first")
    return verdict_texts(predictions["id"].to_pylist(), verdicts)
