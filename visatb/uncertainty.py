"""How sure are the scores? Standard errors, and the scores of a paired bootstrap over samples.

A score is sum(numerator) / sum(denominator) over the samples of a column. All runs answered the same
samples, so one draw serves every run; and samples of one image are not independent, so images are drawn,
not samples.
"""

import zlib
from collections.abc import Sequence

import numpy as np
import pandas as pd

from visatb.balance import BalanceSettings, Column, Groups
from visatb.equations import Floats
from visatb.paired_samples import PairedSamples, by_column, influences, spread
from visatb.seed_spread import seed_variances
from visatb.validation_matrix import lay_out

DRAWS_AT_ONCE = 4_000_000
"""Images drawn for one chunk of replicates: about 100 MB."""


def standard_errors(samples: PairedSamples) -> pd.Series:
    """Return the standard error of each run's score, indexed by run: linearised ratio, clustered by image."""
    _, numerators, denominators = samples.image_sums()
    return pd.Series(spread(influences(numerators, denominators)), index=list(samples.runs))


def gap_standard_errors(
    samples: Sequence[PairedSamples], columns: Sequence[Column], groups: Groups, settings: BalanceSettings
) -> pd.Series:
    """Return, by column name, the standard error of V_j(j+mini) - V_j(mini) over the same samples.

    Where runs are repeated with other seeds, it is that of the difference of their means, the chance in seeds included.

    Raises:
        VisatbError: where a column or a run has no samples.
    """
    names, layout = lay_out(columns, groups, settings)
    errors, base = {}, names.runs[layout.baseline]
    seeds = dict(zip(names.columns, seed_variances(samples, names), strict=True))
    for column, found in by_column(samples, names.scored).items():
        own = names.runs[layout.trained[layout.group_of[names.columns.index(column)]]]
        _, numerators, denominators = found.image_sums()
        rows = {run: [found.runs.index(again) for again in names.repetitions[run]] for run in (own, base)}
        moved = influences(numerators, denominators)
        gap = moved[rows[own]].mean(axis=0) - moved[rows[base]].mean(axis=0)
        between = seeds[column] * sum(1 / len(again) for run, again in rows.items() if run != "base")
        errors[column] = float(np.hypot(spread(gap), np.sqrt(between)))
    return pd.Series(errors)


def replicate_scores(samples: PairedSamples, replicates: int, seed: int) -> Floats:
    """Return the scores [replicates, runs] of as many draws of the images, the same draw for every run.

    The draw depends on ``seed`` and on the images alone, not on the column's name or place. A run whose drawn
    denominators are all 0 has its own score.
    """
    labels, numerators, denominators = samples.image_sums()
    images = len(labels)
    generator = np.random.default_rng([seed, zlib.crc32("\n".join(labels).encode())])
    chunk = max(1, DRAWS_AT_ONCE // images)
    scores = []
    for start in range(0, replicates, chunk):
        rows = min(chunk, replicates - start)
        drawn = generator.integers(images, size=(rows, images)) + images * np.arange(rows)[:, None]
        times = np.bincount(drawn.ravel(), minlength=rows * images).reshape(rows, images).astype(np.float64)
        above, below = times @ numerators.T, times @ denominators.T
        scores.append(np.where(below > 0, above / np.where(below > 0, below, 1.0), samples.scores()))
    return np.concatenate(scores)
