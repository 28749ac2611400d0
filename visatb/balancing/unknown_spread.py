"""Runs of which only scores are known: they share no samples with the others, and some have no known spread."""

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np

from visatb.balancing.balance import Balance
from visatb.balancing.bootstrap import Replicates
from visatb.balancing.equations import Measures, Weights
from visatb.runtime.arrays import Booleans

Scores = Mapping[str, Collection[str]]
"""Column -> the runs whose score in it is meant, e.g. for its spread is not known."""


def unknown_notes(point: Balance, unknown: Scores) -> list[str]:
    """Return a line for each column whose gap may be noise that nobody can tell."""
    lines = []
    for column, runs in unknown.items():
        number = point.names.columns.index(column)
        own = point.names.runs[point.layout.trained[point.layout.group_of[number]]]
        baseline = point.names.runs[point.layout.baseline]
        within = [
            repetition
            for original in (baseline, own)
            for repetition in point.names.repetitions[original]
            if repetition in runs
        ]
        if within:
            lines.append(
                f"{column}: the noise of V({'), V('.join(within)}) is not known, so its gap was taken as it is"
            )
    return lines


def hide_unknown(point: Balance, drawn: Replicates, unknown: Scores) -> Replicates:
    """Return replicates in which the numbers that follow from a score whose spread is not known are NaN.

    A contribution follows from three scores of each column, a difficulty from two, C_out and C_in from the
    contributions that they are means of. Each lambda follows from all groups, for they share one sum.
    """
    C, D = affected(point, unknown)
    others = ~np.eye(len(point.names.groups), dtype=bool)
    C_out, C_in = (C & others).any(axis=1), (C & others).any(axis=0)
    parts = np.array([C_out.any(), C_in.any(), D.any()])
    weight = bool((parts & (np.array(point.settings.alphas) > 0)).any())
    measures = Measures(
        *(np.where(mask, np.nan, values) for mask, values in zip((C, C_out, C_in, D), drawn.measures, strict=True))
    )
    weights = Weights(
        *(np.where(mask, np.nan, values) for mask, values in zip((*parts, weight), drawn.weights, strict=True))
    )
    return replace(drawn, measures=measures, weights=weights)


def _is_among(scores: Scores, column: str, runs: Collection[str]) -> bool:
    return not set(runs).isdisjoint(scores.get(column, ()))


def affected(point: Balance, scores: Scores) -> tuple[Booleans, Booleans]:
    """Return which C [G, G] and which D [G] follow from one of ``scores``."""
    layout, names = point.layout, point.names
    groups = len(names.groups)
    C, D = np.zeros((groups, groups), dtype=bool), np.zeros(groups, dtype=bool)
    for number in np.flatnonzero(point.screening.kept):
        rows = np.array([_is_among(scores, names.columns[number], names.repetitions[run]) for run in names.runs])
        own = layout.group_of[number]
        gap = rows[layout.baseline] | rows[layout.trained[own]]
        # Where the column is clipped, it is divided by the largest change of any run.
        clipped = bool(point.screening.ill[number]) and bool(rows.any())
        C[:, own] |= rows[layout.trained] | gap | clipped
        D[own] |= bool(rows[layout.small[number]] | rows[layout.full[number]])
    measured = np.isin(np.arange(groups), layout.group_of[point.screening.kept])
    # A group without a usable column has the mean of the others.
    C[:, ~measured] = C[:, measured].any()
    D[~measured] = D[measured].any()
    return C, D
