"""How sure are the scores? Standard errors, and the scores of a paired bootstrap over samples.

A score is sum(numerator) / sum(denominator) over the samples of a column. All runs answered the same
samples, so one draw serves every run; and samples of one image are not independent, so images are drawn,
not samples.
"""

import zlib

import numpy as np
import pandas as pd

from visatb.runtime.arrays import Floats
from visatb.scores.paired import PairedSamples, influences, spread

INTERVAL = (2.5, 97.5)
"""The percentiles between which a 95 % interval lies."""


DRAWS_AT_ONCE = 4_000_000
"""Images drawn for one chunk of replicates: about 100 MB."""


def standard_errors(samples: PairedSamples) -> pd.Series:
    """Return the standard error of each run's score, indexed by run: linearised ratio, clustered by image."""
    _, numerators, denominators = samples.image_sums()
    return pd.Series(spread(influences(numerators, denominators)), index=list(samples.runs))


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


def bounds(drawn: Floats) -> tuple[Floats, Floats]:
    """Return the ends [...] of 95 % percentile intervals of replicates [B, ...]."""
    low, high = np.percentile(drawn, INTERVAL, axis=0)
    return low, high
