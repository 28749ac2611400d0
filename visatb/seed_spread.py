"""How far scores differ between trainings that differ in their seed alone, beyond the chance in the samples.

The repetitions of a run answered the same samples. Their scores differ by what the seed changed in the model and, on a
finite number of samples, by which of these it answers otherwise; the latter is part of the bootstrap over images and is
taken off here. The spread is taken to be the same in all repeated runs of a column, so that few repetitions of each are
enough.
"""

from collections.abc import Sequence

import numpy as np

from visatb.equations import Floats
from visatb.paired_samples import PairedSamples, by_column, influences, spread
from visatb.validation_matrix import Names

STREAM = 1
"""Tells the draws of seeds from those of images."""


def seed_variances(samples: Sequence[PairedSamples], names: Names) -> Floats:
    """Return [K] each column's variance between seeds, in the square of the score's unit; 0 without repetitions."""
    found = by_column(samples, names.scored)
    return np.array([_variance(found[column], names) for column in names.columns])


def seed_deviations(samples: Sequence[PairedSamples], names: Names, replicates: int, seed: int) -> Floats:
    """Return [B, R, K] by how much other seeds would have moved the scores of R runs, in as many replicates.

    Deviations of single repetitions are drawn with replacement from all repetitions of all runs, those of all columns
    together, and averaged over a run's repetitions. They have the variance of `seed_variances`, times df / chi-squared
    with the df degrees of freedom that the variance is estimated with: as in Student's t.
    """
    repeated = [run for run, again in names.repetitions.items() if len(again) > 1]
    if not repeated:
        return np.zeros((replicates, len(names.runs), len(names.columns)))
    pool = _deviations(samples, names, repeated)
    generator = np.random.default_rng([seed, STREAM])
    freedom = sum(len(names.repetitions[run]) - 1 for run in repeated)
    scale = np.sqrt(freedom / generator.chisquare(freedom, (replicates, len(names.columns))))
    drawn = [
        pool[generator.integers(len(pool), size=(replicates, len(names.repetitions[run])))].mean(axis=1) * scale
        if run != "base"
        else np.zeros((replicates, len(names.columns)))
        for run in names.runs
    ]
    return np.stack(drawn, axis=1)


def _deviations(samples: Sequence[PairedSamples], names: Names, repeated: Sequence[str]) -> Floats:
    """Return [P, K] the repetitions' deviations from their run's mean, scaled to the variance between seeds."""
    found = by_column(samples, names.scored)
    columns = [_centred(found[column].scores(), found[column], names, repeated) for column in names.columns]
    deviations = np.stack(columns, axis=1)
    square = (deviations**2).mean(axis=0)
    return deviations * np.sqrt(seed_variances(samples, names) / np.where(square > 0, square, 1.0))


def _variance(samples: PairedSamples, names: Names) -> float:
    repeated = [run for run, again in names.repetitions.items() if len(again) > 1]
    if not repeated:
        return 0.0
    freedom = sum(len(names.repetitions[run]) - 1 for run in repeated)
    _, numerators, denominators = samples.image_sums()
    noise = spread(_centred(influences(numerators, denominators), samples, names, repeated)) ** 2
    between = _centred(samples.scores(), samples, names, repeated) ** 2
    return max(0.0, float(between.sum() - noise.sum()) / freedom)


def _centred(values: Floats, samples: PairedSamples, names: Names, repeated: Sequence[str]) -> Floats:
    """Return the rows of ``values`` that belong to repeated runs, less the mean over their run's repetitions."""
    rows = [values[[samples.runs.index(again) for again in names.repetitions[run]]] for run in repeated]
    return np.concatenate([one - one.mean(axis=0) for one in rows])
