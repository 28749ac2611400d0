"""Scores made elsewhere, as the files of per-sample scores that everything else reads.

Where what each sample scored is known, runs are compared on the same samples as always. Where only a value and the
number of samples are known, the samples of a run are its own, paired with no other run's: of a metric whose samples
score all or nothing, the value says how many did, and its spread is that of a binomial; of another metric the spread
is not known, and no interval is given of what depends on it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from visatb.errors import VisatbError
from visatb.runtime.files import read_parquet
from visatb.scores.metrics import METRICS
from visatb.scores.origins import EARLIER, IMPORTED_SAMPLES, IMPORTED_VALUE
from visatb.scores.table import ABOUT, NO_JUDGE, SCORE_SCHEMA, Evaluation, about_scores

SEPARATORS = {".tsv": "\t", ".csv": ","}


@dataclass(frozen=True)
class ImportedScore:
    """One score from a table.

    Attributes:
        run: the run that it is of.
        split: the split that was answered.
        task: the task.
        metric: the metric.
        value: the score, in the metric's unit.
        n: the number of samples behind it.
        samples: the file with what each sample scored, if there is one.
    """

    run: str
    split: str
    task: str
    metric: str
    value: float
    n: int
    samples: str | None = None

    @property
    def evaluation(self) -> Evaluation:
        """(run, split, task)."""
        return self.run, self.split, self.task


TOLERANCE = 1e-3
"""How far, relative to the metric's range, a value may lie from the mean of its samples: tables are rounded."""


def imported_table(scores: Sequence[ImportedScore], records: pa.Table) -> pa.Table:
    """Return the scores of one evaluation (`visatb.scores.table.SCORE_SCHEMA`), with their origin as metadata.

    Args:
        scores: one for each metric of the task.
        records: ``id`` and ``image`` of the split that they are on.

    Raises:
        VisatbError: a file of samples that cannot be read, is of other samples, or contradicts the table.
    """
    parts = [_of_samples(score, records) if score.samples else _of_value(score) for score in scores]
    unpaired = [score.metric for score in scores if not score.samples]
    about = {
        "versions": {score.metric: METRICS[score.metric].version for score in scores},
        "judge": NO_JUDGE,
        "origin": IMPORTED_VALUE if unpaired else IMPORTED_SAMPLES,
        "unpaired": unpaired,
        "unknown_spread": [metric for metric in unpaired if not METRICS[metric].is_share],
    }
    return pa.concat_tables(parts).replace_schema_metadata({ABOUT: json.dumps(about)})


def kept_table(origin: str, table: pa.Table, metrics: Sequence[str], records: pa.Table) -> pa.Table:
    """Return scores of a finished experiment as they are, once they are seen to be of the same samples and metrics.

    Args:
        origin: their file, for messages.
        table: `visatb.scores.table.SCORE_SCHEMA`.
        metrics: of the task here.
        records: ``id`` of the split here.

    Raises:
        VisatbError: the samples, the metrics or their versions are others.
    """
    about = about_scores(table)
    versions = {metric: METRICS[metric].version for metric in metrics}
    if about["versions"] != versions:
        raise VisatbError(
            f"{origin}: was scored by {about['versions']} (metrics and their versions), here it is {versions}; "
            "score the finished experiment again with this config's metrics"
        )
    own_ids, scored_ids = set(records["id"].to_pylist()), set(table["id"].to_pylist())
    if own_ids != scored_ids:
        raise VisatbError(
            f"{origin}: is of {len(scored_ids)} samples, {len(scored_ids - own_ids)} of them not in the split here, "
            f"which has {len(own_ids)}; adding tasks needs the finished experiment's own data"
        )
    description = json.loads((table.schema.metadata or {}).get(ABOUT, b"{}"))
    return table.replace_schema_metadata({ABOUT: json.dumps(description | {"origin": EARLIER})})


def _of_value(score: ImportedScore) -> pa.Table:
    """Return samples that have the score: all or nothing where the metric is so, else all alike."""
    metric = METRICS[score.metric]
    values = np.full(score.n, score.value)
    if metric.is_share:
        full, rest = divmod(score.value / metric.highest * score.n, 1.0)
        values = np.where(np.arange(score.n) < full, metric.highest, 0.0)
        if full < score.n:
            values[int(full)] = rest * metric.highest
    ids = [f"{score.run} {number}" for number in range(1, score.n + 1)]
    return sample_table(score.metric, ids, [None] * score.n, values, np.ones(score.n))


def _of_samples(score: ImportedScore, records: pa.Table) -> pa.Table:
    table = _read_samples(score)
    known = dict(zip(records["id"].to_pylist(), records["image"].to_pylist(), strict=True))
    foreign = [name for name in table["id"] if name not in known]
    if foreign or len(table) != len(known) or table["id"].duplicated().any():
        raise VisatbError(
            f"{score.samples}: holds {len(table)} samples, {len(foreign)} of them not in the {score.split} split of "
            f"'{score.task}', which has {len(known)}; expected each of its ids once"
        )
    value = table["numerator"].sum() / table["denominator"].sum()
    metric = METRICS[score.metric]
    if len(table) != score.n or abs(value - score.value) > TOLERANCE * (metric.highest - metric.lowest):
        raise VisatbError(
            f"{score.samples}: its {len(table)} samples score {value:.6g}, but the table says {score.value:g} of "
            f"{score.n} for {score.run}, {score.task}, {score.metric}; correct one of them"
        )
    images = [known[name] for name in table["id"]]
    return sample_table(score.metric, table["id"].tolist(), images, table["numerator"], table["denominator"])


def _read_samples(score: ImportedScore) -> pd.DataFrame:
    """Return ``id``, ``numerator`` and ``denominator``; ``value`` stands for a numerator over 1."""
    path = Path(str(score.samples))
    if path.suffix == ".parquet":
        table = read_parquet(path).to_pandas()
    else:
        try:
            separator = SEPARATORS.get(path.suffix.lower(), "\t")
            table = pd.read_csv(path, sep=separator, dtype={"id": str, "metric": str}, keep_default_na=False)
        except (ValueError, OSError) as error:
            raise VisatbError(f"{path}: cannot be read as a table ({' '.join(str(error).split())})") from error
    if "metric" in table:
        table = table[table["metric"] == score.metric]
    if "value" in table and "numerator" not in table:
        table = table.assign(numerator=table["value"], denominator=1.0)
    missing = [name for name in ("id", "numerator", "denominator") if name not in table]
    if missing:
        raise VisatbError(f"{path}: expected the columns id and value, or id, numerator and denominator")
    numbers = table[["numerator", "denominator"]].apply(pd.to_numeric, errors="coerce").astype(float)
    wrong = ~np.isfinite(numbers).all(axis=1)
    if wrong.any():
        raise VisatbError(f"{path}: the sample '{table['id'][wrong].iloc[0]}' has no finite score")
    if not numbers["denominator"].sum() > 0:
        raise VisatbError(f"{path}: holds no sample of the metric {score.metric}, or its denominators are all 0")
    return table[["id"]].join(numbers).reset_index(drop=True)


def sample_table(
    metric: str, ids: Sequence[str], images: Sequence[str | None], numerators: Any, denominators: Any
) -> pa.Table:
    """Return samples of one metric as a table of scores, all of them readable and whole."""
    samples = len(ids)
    columns = [
        pa.array(ids, pa.string()),
        pa.array(images, pa.string()),
        pa.array([metric] * samples, pa.string()),
        pa.array(np.asarray(numerators, dtype=np.float64)),
        pa.array(np.asarray(denominators, dtype=np.float64)),
        pa.array([True] * samples),
        pa.array([False] * samples),
    ]
    return pa.Table.from_arrays(columns, schema=SCORE_SCHEMA)
