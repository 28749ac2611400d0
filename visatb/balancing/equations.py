"""Eq. 3-8 and 10-12 on plain arrays.

Leading axes are batch axes, so that one call serves a point estimate or thousands of bootstrap replicates.
R runs are the rows of a validation matrix, K its columns (one metric of one task each), G the groups of tasks
that are balanced as one. Nothing here raises or returns NaN or infinity for finite scores: which columns are
ill-posed, and what is done about them, is decided in `visatb.balancing.balance` and arrives as a `Screening`.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from visatb.runtime.arrays import Booleans, Floats, Integers

ROUNDING = 1e-9
"""Differences below this share of a column's largest score are arithmetic, not learning."""

TEMPERATURES = tuple(2.0 ** (1 - halvings) for halvings in range(8))
"""The halving grid 2, 1, 0.5, ... 2^-6 on which ``temperature: auto`` looks."""

WEIGHT_RANGE = (0.5, 2.0)
"""The range in which section 3.5 of the paper wants every weight."""


@dataclass(frozen=True)
class Layout:
    """Which row and which column of a validation matrix plays which part."""

    sign: Floats
    """[K] 1 where higher is better, -1 where lower is better."""
    group_of: Integers
    """[K] the group of each column's task."""
    task_of: Integers
    """[K] the task of each column."""
    baseline: int
    """The row that contributions start from: ``mini``, or ``base`` in the simple form."""
    trained: Integers
    """[G] the row trained on each group: ``plus-<group>``, or ``single-<task>`` in the simple form."""
    small: Integers
    """[K] the row that Eq. 6, 11 or 12 takes for each column's task after its mini subset."""
    full: Integers
    """[K] the same after its large subset."""


@dataclass(frozen=True)
class Screening:
    """Which columns are ill-posed and which take part."""

    ill: Booleans
    """[K] columns in which Eq. 3 or Eq. 6 means nothing; where they take part, they are clipped."""
    kept: Booleans
    """[K] columns that take part in the averages."""
    noise: Floats
    """[K] gaps up to here are noise, in the unit of the score; 0 where it is not known."""


class Measures(NamedTuple):
    """What the weights follow from."""

    C: Floats
    """[..., G, G] contribution of the row's group to the column's group."""
    C_out: Floats
    """[..., G]"""
    C_in: Floats
    """[..., G]"""
    D: Floats
    """[..., G]"""


class Weights(NamedTuple):
    """Eq. 4, 5, 7 and 8, [..., G] each; every one sums to G."""

    outward: Floats
    inward: Floats
    difficulty: Floats
    total: Floats


def column_scale(values: Floats) -> Floats:
    """Return [..., 1, K] the largest absolute score of each column of ``values`` [..., R, K], 1 if all are 0.

    Dividing by it changes neither C nor D, and keeps them finite for scores of any size.
    """
    largest = np.abs(values).max(axis=-2, keepdims=True)
    return np.where(largest > 0, largest, 1.0)


def changes(values: Floats, layout: Layout) -> tuple[Floats, Floats]:
    """Return the numerators [..., G, K] and denominators [..., K] of Eq. 3 (or 10), higher being better."""
    change = layout.sign * (values[..., layout.trained, :] - values[..., [layout.baseline], :])
    return change, change[..., layout.group_of, np.arange(layout.group_of.size)]


def difficulty_ratio(values: Floats, layout: Layout) -> tuple[Floats, Floats]:
    """Return the numerators and the denominators, [..., K] each, of the ratio in Eq. 6 (or 11, 12).

    A metric that is better lower has its ratio turned over (see `visatb.balancing.balance`).
    """
    columns = np.arange(layout.group_of.size)
    small, full = values[..., layout.small, columns], values[..., layout.full, columns]
    higher = layout.sign > 0
    return np.where(higher, small, full), np.where(higher, full, small)


def contributions(values: Floats, layout: Layout, screening: Screening) -> Floats:
    """Return C [..., G, K] of every group to every column: Eq. 3, or Eq. 10 in the simple form.

    Clipped are the columns that ``screening`` calls ill-posed and, in a bootstrap replicate, those whose gap
    vanishes: their denominator becomes the largest change that any run made, or the noise if that is more. So
    their C lies in [-1, 1], keeps the sign of the change, and is small where nothing moved beyond the noise.
    """
    scale = column_scale(values)
    change, gap = changes(values / scale, layout)
    largest = np.maximum(np.abs(change).max(axis=-2), screening.noise / scale[..., 0, :])
    clipped = screening.ill | (gap <= ROUNDING)
    denominator = np.where(clipped, np.where(largest > 0, largest, 1.0), gap)
    return change / denominator[..., None, :]


def difficulties(values: Floats, layout: Layout, screening: Screening) -> Floats:
    """Return D [..., K] of every column: Eq. 6, or Eq. 11 and 12.

    Clipped to [0, 1] are the columns that ``screening`` calls ill-posed. Where the ratio has no positive
    denominator, D is 1 if the large subset made the score better and 0 if it did not.
    """
    values = values / column_scale(values)
    numerator, denominator = difficulty_ratio(values, layout)
    defined = denominator > ROUNDING
    better = numerator < denominator
    ratio = np.where(defined, numerator / np.where(defined, denominator, 1.0), np.where(better, 0.0, 1.0))
    return np.where(screening.ill, np.clip(1.0 - ratio, 0.0, 1.0), 1.0 - ratio)


def column_shares(layout: Layout, kept: Booleans) -> Floats:
    """Return [K, G] the share of each kept column in its group's mean.

    The tasks of a group count alike, and so do the metrics of a task. A group without a kept column has none.
    """
    shares = np.zeros((kept.size, layout.trained.size))
    for column in np.flatnonzero(kept):
        group, task = layout.group_of[column], layout.task_of[column]
        tasks = np.unique(layout.task_of[kept & (layout.group_of == group)]).size
        metrics = np.count_nonzero(kept & (layout.task_of == task))
        shares[column, group] = 1.0 / (tasks * metrics)
    return shares


def measure(values: Floats, layout: Layout, screening: Screening) -> Measures:
    """Return C, C_out, C_in and D of the groups for scores ``values`` [..., R, K].

    A group without a kept column takes the mean of the other groups' C_in and D, and that C_in stands in its
    column of C; no C_out counts it. Where only one group has kept columns, its C_out is the others' mean.
    """
    shares = column_shares(layout, screening.kept)
    measured = shares.max(axis=0) > 0
    C = contributions(values, layout, screening) @ shares
    return averaged(C, difficulties(values, layout, screening) @ shares, measured)


def averaged(C: Floats, D: Floats, measured: Booleans) -> Measures:
    """Return C and D [..., G, G] and [..., G] with their averages; what is not ``measured`` [G] is filled in."""
    others = ~np.eye(measured.size, dtype=bool)
    counted = others & measured
    D = _fill(D, measured)
    C_in = _fill((C * others).sum(axis=-2) / (measured.size - 1), measured)
    receivers = np.count_nonzero(counted, axis=1)
    C_out = _fill((C * counted).sum(axis=-1) / np.maximum(receivers, 1), np.greater(receivers, 0))
    C = np.where(others, np.where(measured, C, C_in[..., None, :]), 1.0)
    return Measures(C, C_out, C_in, D)


def weigh(measures: Measures, alphas: tuple[float, float, float], temperature: float) -> Weights:
    """Return the weights of Eq. 4, 5, 7 and 8; ``alphas`` are a_out, a_in and a_D."""
    parts = [_balanced(x, temperature) for x in (measures.C_out, -measures.C_in, measures.D)]
    total = sum((alpha * part for alpha, part in zip(alphas, parts, strict=True)), np.zeros_like(parts[0]))
    return Weights(parts[0], parts[1], parts[2], total)


def lowest_temperature(measures: Measures, alphas: tuple[float, float, float]) -> float | None:
    """Return the lowest T of `TEMPERATURES` that keeps every final weight in `WEIGHT_RANGE`, or None."""
    low, high = WEIGHT_RANGE
    for temperature in sorted(TEMPERATURES):
        total = weigh(measures, alphas, temperature).total
        if low - ROUNDING <= total.min() and total.max() <= high + ROUNDING:
            return temperature
    return None


def _fill(values: Floats, known: Booleans) -> Floats:
    return np.where(known, values, values[..., known].mean(axis=-1, keepdims=True))


def _balanced(values: Floats, temperature: float) -> Floats:
    exponent = (values - values.max(axis=-1, keepdims=True)) / temperature
    share = np.exp(exponent)
    balanced: Floats = values.shape[-1] * share / share.sum(axis=-1, keepdims=True)
    return balanced
