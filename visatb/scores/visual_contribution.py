"""Tables of the visual contribution of runs: a row a run and task, from files of one row a sample."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from visatb.runtime.files import read_parquet

Place = tuple[str, str]
"""(run, task)"""


def contributions_of(folder: str | Path, places: Sequence[Place]) -> dict[Place, pd.DataFrame]:
    """Read ``<folder>/<run>/<task>.parquet`` of every place; samples of whose answer nothing was left are dropped."""
    tables = {}
    for run, task in places:
        table = read_parquet(Path(folder) / run / f"{task}.parquet", ["tokens", "contribution"]).to_pandas()
        tables[run, task] = table[table["tokens"] > 0]
    return tables


def contribution_table(samples: dict[Place, pd.DataFrame]) -> pd.DataFrame:
    """Return ``run``, ``task``, ``n``, ``mean`` and ``stderr`` of an answer in nats, ``per_token`` and ``positive``.

    ``per_token``: the sum over all answers by the number of their tokens. ``positive``: the share of answers that the
    image makes likelier. A place without samples (no images) has only ``n``.
    """
    rows = []
    for (run, task), table in samples.items():
        values, n = table["contribution"], len(table)
        spread = values.std(ddof=1) / n**0.5 if n > 1 else float("nan")
        per_token = values.sum() / table["tokens"].sum() if n else float("nan")
        positive = (values > 0).mean() if n else float("nan")
        rows.append((run, task, n, values.mean() if n else float("nan"), spread, per_token, positive))
    return pd.DataFrame(rows, columns=["run", "task", "n", "mean", "stderr", "per_token", "positive"])
