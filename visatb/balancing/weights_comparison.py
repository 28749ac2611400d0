"""Which weights can be told from equal weighting, and which from each other? Pairwise, from the same replicates."""

from itertools import combinations

import pandas as pd

from visatb.balancing.balance import Balance
from visatb.balancing.bootstrap import Replicates
from visatb.runtime.arrays import Floats
from visatb.scores.uncertainty import bounds

EQUAL = "1"
"""What stands in the column ``other`` where a weight is compared with equal weighting."""

NAMES = ["group", "other", "difference", "low", "high", "told_apart"]


def weights_comparison(point: Balance, drawn: Replicates) -> pd.DataFrame:
    """Return every group's weight less 1, then the differences of every two groups' weights, with 95 % intervals.

    Columns: ``group``, ``other`` (a group, or `EQUAL`), ``difference``, ``low``, ``high`` and ``told_apart`` (``yes``
    where the interval does not contain 0, else ``no``). Both weights of a pair come from the same replicate, so what
    moves them together cancels.
    """
    groups, total = list(point.names.groups), drawn.weights.total
    rows = [(group, EQUAL, point.weights[group] - 1.0, total[:, i] - 1.0) for i, group in enumerate(groups)]
    rows += [
        (groups[i], groups[j], point.weights[groups[i]] - point.weights[groups[j]], total[:, i] - total[:, j])
        for i, j in combinations(range(len(groups)), 2)
    ]
    return pd.DataFrame([_row(*row) for row in rows], columns=NAMES)


def _row(group: str, other: str, difference: float, replicates: Floats) -> tuple[str, str, float, float, float, str]:
    low, high = (float(end) for end in bounds(replicates))
    return group, other, difference, low, high, "yes" if low > 0 or high < 0 else "no"
