"""How sure are contributions, difficulties and weights? They are computed anew on each replicate of the scores."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from visatb.balancing import equations
from visatb.balancing.balance import Balance
from visatb.balancing.equations import Measures, Weights
from visatb.balancing.seed_variance import seed_deviations
from visatb.runtime.arrays import Floats
from visatb.scores.paired import PairedSamples, by_column
from visatb.scores.uncertainty import bounds, replicate_scores

REPLICATES_KEPT = 1000
"""Replicates of C and D that are written to a file, at most."""


@dataclass(frozen=True)
class Replicates:
    """What followed from each replicate of the scores; B replicates, R runs, K columns, G groups.

    ``values`` [B, R, K] are the scores, ``measures`` and ``weights`` have B as their leading axis.
    """

    values: Floats
    measures: Measures
    weights: Weights


@dataclass(frozen=True)
class Intervals:
    """95 % intervals around a `Balance`.

    ``contributions``: columns from, to, value, low, high; one row for each ordered pair of different groups.
    ``groups``: one row a group, columns ``<name>_low`` and ``<name>_high`` for C_out, C_in, D, lambda_out,
    lambda_in, lambda_D and weight.
    """

    contributions: pd.DataFrame
    groups: pd.DataFrame


def replicate(point: Balance, samples: Sequence[PairedSamples], replicates: int = 2000, seed: int = 0) -> Replicates:
    """Return what follows from a paired bootstrap over images.

    In every replicate the images of a column are drawn anew, with replacement, and all runs are scored on
    the same draw; columns of the same images share it. Columns that are ill-posed in ``point`` stay so, and
    the temperature stays the one of ``point``. Where the gap of another column vanishes in a replicate,
    that column is clipped there (`equations.contributions`), so that nothing is infinite. Where runs are
    repeated with other seeds, their scores are the means, and move as far as these seeds say
    (`visatb.balancing.seed_variance`).

    Raises:
        VisatbError: where a column or a run has no samples.
    """
    names = point.names
    values = np.zeros((replicates, len(names.runs), len(names.columns)))
    deviations = seed_deviations(samples, names, replicates, seed)
    for number, (column, paired) in enumerate(by_column(samples, names.scored).items()):
        drawn = replicate_scores(paired, replicates, seed)
        for row, run in ((row, run) for row, run in enumerate(names.runs) if column in names.needs[run]):
            again = [paired.runs.index(name) for name in names.repetitions[run]]
            values[:, row, number] = drawn[:, again].mean(axis=1) + deviations[:, row, number]
    measures = equations.measure(values, point.layout, point.screening)
    return Replicates(values, measures, equations.weigh(measures, point.settings.alphas, point.temperature))


def intervals(point: Balance, drawn: Replicates) -> Intervals:
    """Return the 95 % percentile intervals of everything that a `Balance` holds."""
    measures, weights = drawn.measures, drawn.weights
    by_group = {
        "C_out": measures.C_out,
        "C_in": measures.C_in,
        "D": measures.D,
        "lambda_out": weights.outward,
        "lambda_in": weights.inward,
        "lambda_D": weights.difficulty,
        "weight": weights.total,
    }
    ends = {
        f"{name}_{end}": bound
        for name, values in by_group.items()
        for end, bound in zip(("low", "high"), bounds(values), strict=True)
    }
    return Intervals(
        contributions=_pairs(point.C, *bounds(measures.C)),
        groups=pd.DataFrame(ends, index=pd.Index(point.names.groups, name="group")),
    )


def replicates_table(point: Balance, drawn: Replicates) -> pa.Table:
    """Return the first `REPLICATES_KEPT` replicates of C and D, one row a replicate and number.

    Columns: ``replicate`` from 0, ``quantity`` (``C`` or ``D``), the groups ``from`` and ``to``, ``value``. C of a
    group to itself is 1 by definition and left out. D has its group as ``to`` and no ``from``. What follows from an
    imported score whose spread is not known is NaN.
    """
    groups, C, D = point.names.groups, drawn.measures.C[:REPLICATES_KEPT], drawn.measures.D[:REPLICATES_KEPT]
    givers, receivers = np.nonzero(~np.eye(len(groups), dtype=bool))
    quantity = ["C"] * givers.size + ["D"] * len(groups)
    giver = [groups[i] for i in givers] + [None] * len(groups)
    receiver = [groups[i] for i in receivers] + list(groups)
    values = np.concatenate([C[:, givers, receivers], D], axis=1)
    count, width = values.shape
    columns = {
        "replicate": pa.array(np.repeat(np.arange(count, dtype=np.int32), width)),
        "quantity": pa.array(quantity * count).dictionary_encode(),
        "from": pa.array(giver * count, pa.string()).dictionary_encode(),
        "to": pa.array(receiver * count, pa.string()).dictionary_encode(),
        "value": pa.array(values.ravel().astype(np.float32)),
    }
    return pa.table(columns)


def _pairs(C: pd.DataFrame, low: Floats, high: Floats) -> pd.DataFrame:
    return pd.DataFrame(
        [
            (giver, receiver, C.iat[i, j], low[i, j], high[i, j])
            for i, giver in enumerate(C.index)
            for j, receiver in enumerate(C.columns)
            if i != j
        ],
        columns=["from", "to", "value", "low", "high"],
    )
