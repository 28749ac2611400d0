"""How far scores differ between trainings that differ in their seed alone, beyond the chance in the samples.

The repetitions of a run answered the same samples. Their scores differ by what the seed changed in the model and, on a
finite number of samples, by which of these it answers otherwise; the latter is part of the bootstrap over images and is
taken off here. The spread is taken to be the same in all repeated runs of a column, so that few repetitions of each are
enough.
"""

from collections.abc import Sequence

import numpy as np

from visatb.balancing.design import Names
from visatb.runtime.arrays import Floats
from visatb.scores.paired import PairedSamples, by_column, influences, spread

STREAM = 1
"""Tells the draws of seeds from those of images."""


def seed_variances(samples: Sequence[PairedSamples], names: Names) -> Floats:
    """Return [K] each column's variance between seeds, in the square of the score's unit; 0 without repetitions."""
    between, noise = _between_and_noise(samples, names)
    return np.maximum(0.0, between - noise)


def seed_deviations(samples: Sequence[PairedSamples], names: Names, replicates: int, seed: int) -> Floats:
    """Return [B, R, K] by how much other seeds would have moved the scores of R runs, in as many replicates.

    They are normal, correlated between columns as the repetitions' scores are, and shrink with the root of a run's
    repetitions. What is known of the variance between repetitions from df degrees of freedom is drawn as in Student's
    t, times df / chi-squared, before the chance in samples is taken off.
    """
    repeated = _repeated(names)
    if not repeated:
        return np.zeros((replicates, len(names.runs), len(names.columns)))
    between, noise = _between_and_noise(samples, names)
    samples_of = by_column(samples, names.scored)
    pool = np.stack(
        [_centred(samples_of[name].scores(), samples_of[name], names, repeated) for name in names.columns], axis=1
    )
    pool /= np.sqrt(np.where(between > 0, (pool**2).sum(axis=0), 1.0))
    generator, freedom = np.random.default_rng([seed, STREAM]), _freedom(names)
    drawn = between * freedom / generator.chisquare(freedom, (replicates, len(names.columns)))
    scale = np.sqrt(np.maximum(0.0, drawn - noise))
    deviations = np.zeros((replicates, len(names.runs), len(names.columns)))
    for row, run in enumerate(names.runs):
        if run != "base":
            weights = generator.normal(size=(replicates, len(pool))) / np.sqrt(len(names.repetitions[run]))
            deviations[:, row] = weights @ pool * scale
    return deviations


def _between_and_noise(samples: Sequence[PairedSamples], names: Names) -> tuple[Floats, Floats]:
    """Return the variance between repetitions [K], and the part of it that is chance in the samples."""
    samples_of, repeated = by_column(samples, names.scored), _repeated(names)
    between, noise = np.zeros(len(names.columns)), np.zeros(len(names.columns))
    for number, paired in enumerate(samples_of[column] for column in names.columns) if repeated else ():
        _, numerators, denominators = paired.image_sums()
        chance = spread(_centred(influences(numerators, denominators), paired, names, repeated))
        between[number] = (_centred(paired.scores(), paired, names, repeated) ** 2).sum() / _freedom(names)
        noise[number] = (chance**2).sum() / _freedom(names)
    return between, noise


def _repeated(names: Names) -> list[str]:
    return [run for run, again in names.repetitions.items() if len(again) > 1]


def _freedom(names: Names) -> int:
    return sum(len(again) - 1 for again in names.repetitions.values())


def _centred(values: Floats, samples: PairedSamples, names: Names, repeated: Sequence[str]) -> Floats:
    """Return the rows of ``values`` that belong to repeated runs, less the mean over their run's repetitions."""
    rows = [values[[samples.runs.index(again) for again in names.repetitions[run]]] for run in repeated]
    return np.concatenate([repeats - repeats.mean(axis=0) for repeats in rows])
