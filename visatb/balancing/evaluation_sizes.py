"""How many samples of each task must be answered for weights that are sure enough? Planned once, from a pilot.

To first order a lambda is a sum over the images of all tasks, so its variance is a sum of one share a task, v / n for n
samples. The pilot, the first samples of the order in which all are answered, gives v. The fewest samples that keep
every lambda's half-width within the precision follow from Neyman's allocation (1934, Journal of the Royal Statistical
Society 97, 558-625) with one condition a lambda. Sizes are fixed before the remaining samples are answered, and never
looked at again (two stages, as Stein, 1945, Annals of Mathematical Statistics 16, 243-258), so nothing is stopped
because of how it looks.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from visatb.balancing import equations
from visatb.balancing.balance import Balance, balance
from visatb.balancing.design import Design
from visatb.balancing.gaps import gap_standard_errors
from visatb.balancing.matrix import array_of, validation_matrix
from visatb.runtime.arrays import Booleans, Floats
from visatb.scores.columns import Column
from visatb.scores.paired import PairedSamples, influences

Z95 = 1.959964
"""Half the width of a 95 % interval in standard deviations of a normal distribution."""

MARGIN = 2.0
"""Variances are planned to be this much larger than the pilot says, which knows them only so well."""

ROUNDS = 500
"""Steps in which the prices of the conditions are found; sizes keep the conditions after any number of them."""

STEP = 1e-5
"""Width of the differences in place of derivatives, as a share of a column's largest score."""


def evaluation_sizes(
    pilot: Sequence[PairedSamples],
    design: Design,
    totals: Mapping[str, int],
    precision: float,
    round_to: int = 1,
) -> pd.DataFrame:
    """Return ``task``, ``samples`` (to answer), ``total`` (in the split), ``pilot``, ``half_width`` and ``reason``.

    ``half_width`` is the task's planned share: what lambda's half-width would be if this task alone were uncertain.
    ``reason`` is ``precision``, ``pilot`` (that many were answered anyway) or ``whole split``: more would be needed, or
    the task's column is ill-posed in the pilot, which says nothing about what the whole split will say.

    Args:
        pilot: of every validation column, what all runs scored on the first samples.
        design: columns, groups and settings of the balancing.
        totals: task -> samples in its validation split.
        precision: the largest half-width of a 95 % interval of any lambda.
        round_to: sizes are multiples of this, the split's end aside.
    """
    columns = design.columns
    matrix = validation_matrix(pilot, design.names.repetitions)
    point = balance(matrix, design, gap_standard_errors(pilot, design))
    tasks = list(dict.fromkeys(column.task for column in columns))
    answered = np.array([_of_task(pilot, columns, task)[0].numerators.shape[1] for task in tasks])
    variances = (
        np.stack([_variances(point, matrix, _of_task(pilot, columns, task)) for task in tasks], axis=-1) * answered
    )
    ill = {column.task for column, is_ill in zip(columns, point.screening.ill, strict=True) if is_ill}
    limits = np.array([totals[task] for task in tasks])
    needed = allocation(variances, limits, np.array([task in ill for task in tasks]), precision)
    rounded = np.minimum(limits, np.ceil(np.maximum(needed, answered) / round_to) * round_to).astype(int)
    reasons = np.where(rounded >= limits, "whole split", np.where(needed <= answered, "pilot", "precision"))
    half_width = Z95 * np.sqrt(variances.max(axis=0) / rounded)
    data = {"task": tasks, "samples": rounded, "total": limits, "pilot": answered}
    return pd.DataFrame({**data, "half_width": half_width, "reason": reasons})


def allocation(variances: Floats, limits: Floats, whole: Booleans, precision: float) -> Floats:
    """Return the fewest samples [tasks] that keep every lambda's half-width within the precision.

    ``variances`` [lambdas, tasks] are those of one sample. Tasks that are ``whole``, or that would need more than their
    limit, have it, and the others make up for them. Where they cannot, every task has its limit.
    """
    allowed = (precision / Z95) ** 2 / MARGIN
    full = whole.copy()
    while not full.all():
        left = allowed - (variances[:, full] / limits[full]).sum(axis=1)
        if left.min() <= 0:
            break
        needed = limits.astype(float)
        needed[~full] = _cheapest(variances[:, ~full] / left[:, None])
        if not (over := ~full & (needed > limits)).any():
            return needed
        full = full | over
    return limits.astype(float)


def _cheapest(shares: Floats) -> Floats:
    """Return the sizes of the least sum with sum(shares / sizes) <= 1 for each row of ``shares``.

    At the optimum a size is the root of the rows' shares, each times the price of its condition; prices of conditions
    that are not met rise, and the others fall.
    """
    prices = np.ones(len(shares))
    for _ in range(ROUNDS):
        sizes = np.sqrt(np.maximum(prices @ shares, np.finfo(float).tiny))
        prices *= np.sqrt(np.maximum((shares / sizes).sum(axis=1), 1e-12))
        prices = np.maximum(prices, 1e-12 * prices.max())
    scaled: Floats = sizes * (shares / sizes).sum(axis=1).max()
    return scaled


def _of_task(pilot: Sequence[PairedSamples], columns: Sequence[Column], task: str) -> list[PairedSamples]:
    return [paired for paired, column in zip(pilot, columns, strict=True) if column.task == task]


def _variances(point: Balance, matrix: pd.DataFrame, samples: Sequence[PairedSamples]) -> Floats:
    """Return the variance of every lambda that the chance in one task's samples makes."""
    values = array_of(matrix, point.names)
    scale = equations.column_scale(values)[0]
    moved: Floats | None = None
    for paired in samples:
        column = point.names.columns.index(paired.column)
        _, above, below = paired.image_sums()
        influence = influences(above, below)
        for row, run in enumerate(point.names.runs):
            if paired.column in point.names.needs[run]:
                again = [paired.runs.index(name) for name in point.names.repetitions[run]]
                slope = _slope(point, values, row, column, STEP * scale[column])
                change = slope[:, None] * influence[again].mean(axis=0)
                moved = change if moved is None else moved + change
    assert moved is not None
    images = moved.shape[1]
    variances: Floats = (moved**2).sum(axis=1) * images / (images - 1)
    return variances


def _slope(point: Balance, values: Floats, row: int, column: int, step: float) -> Floats:
    """Return [G] the derivative of every lambda by one score."""
    pair = np.stack([values, values])
    pair[:, row, column] += (-step, step)
    measures = equations.measure(pair, point.layout, point.screening)
    total = equations.weigh(measures, point.settings.alphas, point.temperature).total
    slope: Floats = (total[1] - total[0]) / (2 * step)
    return slope
