"""How sure are dI and dE of Eq. 9, and the differences between methods? A paired bootstrap over the test images.

dI is smooth in the scores, and percentiles of its replicates hold the truth as often as they should. dE is not: the
loss max(0, -I) of a task bends at I = 0, and chance in I, which averages out in dI, only adds to it. The estimate lies
above the truth, and the replicates lie above the estimate by about as much again. So the lower end of an interval is
moved down by twice the bias that the bootstrap shows, its mean less the estimate.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from visatb.runtime.arrays import Floats
from visatb.scores.columns import Column
from visatb.scores.paired import PairedSamples
from visatb.scores.uncertainty import bounds, replicate_scores

NAMES = ["method", "other", "quantity", "value", "low", "high"]


def overall_intervals(
    samples: Sequence[PairedSamples],
    runs: Mapping[str, Sequence[str]],
    baseline: str,
    columns: Sequence[Column],
    replicates: int = 2000,
    seed: int = 0,
) -> pd.DataFrame:
    """Return ``method``, ``other``, ``quantity`` (``dI``, ``dE``), ``value``, ``low``, ``high`` (95 %), in percent.

    The first rows of a quantity are of the methods, without ``other``; then follow the differences of every two
    methods, the first less the second.

    Args:
        samples: test samples of every column, in the order of ``columns``, with every run that is needed in it.
        runs: method -> the run that has its score in each column.
        baseline: the method that I compares with.
        columns: what the columns are. The metrics of a task are averaged.
        replicates: draws of the bootstrap.
        seed: of these draws.
    """
    methods = [method for method in runs if method != baseline]
    scores = [np.concatenate([paired.scores()[None], _drawn(paired, replicates, seed)]) for paired in samples]

    def of(method: str) -> Floats:
        numbered = enumerate(zip(samples, runs[method], strict=True))
        return np.stack([scores[number][:, paired.runs.index(run)] for number, (paired, run) in numbered], axis=-1)

    gains = {method: task_improvements(of(method), of(baseline), columns) for method in methods}
    rows: list[tuple[str, str, str, float, float, float]] = []
    for quantity, overall in (("dI", _gain), ("dE", _loss)):
        estimates = {method: overall(gains[method]) for method in methods}
        rows += [(method, "", quantity, *_interval(estimates[method], quantity)) for method in methods]
        rows += [
            (a, b, quantity, *_interval(estimates[a] - estimates[b], quantity)) for a, b in combinations(methods, 2)
        ]
    table = pd.DataFrame(rows, columns=NAMES)
    alone = table["quantity"].eq("dE") & table["other"].eq("")
    table.loc[alone, "low"] = table.loc[alone, "low"].clip(lower=0.0)
    return table


def _drawn(samples: PairedSamples, replicates: int, seed: int) -> Floats:
    """Return replicates of the scores [replicates, runs], NaN of runs whose spread is not known."""
    unknown = np.isin(samples.runs, samples.unknown_spread)
    return np.where(unknown, np.nan, replicate_scores(samples, replicates, seed))


def task_improvements(scores: Floats, baseline: Floats, columns: Sequence[Column]) -> Floats:
    """Return I of Eq. 9 [..., tasks] as fractions, for scores and the baseline's scores [..., columns].

    A replicate in which the baseline's score is not above 0 has no I there; it counts as no change.
    """
    sign = np.array([1.0 if column.higher_is_better else -1.0 for column in columns])
    defined = ~(baseline <= 0)  # NaN, of a spread that is not known, stays NaN
    change = np.where(defined, sign * (scores - baseline) / np.where(defined, baseline, 1.0), 0.0)
    tasks = [column.task for column in columns]
    members = [[number for number, task in enumerate(tasks) if task == name] for name in dict.fromkeys(tasks)]
    return np.stack([change[..., numbers].mean(axis=-1) for numbers in members], axis=-1)


def _gain(improvements: Floats) -> Floats:
    gain: Floats = 100 * improvements.mean(axis=-1)
    return gain


def _loss(improvements: Floats) -> Floats:
    loss: Floats = 100 * np.maximum(-improvements, 0.0).mean(axis=-1)
    return loss


def _interval(estimates: Floats, quantity: str) -> tuple[float, float, float]:
    """Return an estimate, the first of ``estimates``, with the interval that the others, its replicates, give."""
    value, drawn = float(estimates[0]), estimates[1:]
    low, high = (float(end) for end in bounds(drawn))
    bias = float(drawn.mean()) - value if quantity == "dE" else 0.0
    return value, low - 2 * max(bias, 0.0), high - 2 * min(bias, 0.0)
