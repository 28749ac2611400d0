"""Experiments with a known truth: per-sample scores drawn so that every run's true mean score is exactly known.

A sample's answer by a run is a normal variable with three parts, which samples of one image, all answers to one sample,
and a single answer have of their own. A score counts how many thresholds it stays below. A threshold is the normal
quantile of its share of right answers, so the mean over samples is that share whatever the three parts are. A
repetition of a training moves the share by a normal deviation around its run's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np

from visatb.balancing.design import Design
from visatb.config.balancing import BalanceSettings
from visatb.runtime.arrays import Floats
from visatb.scores.columns import Column
from visatb.scores.paired import PairedSamples

IMAGE_SHARE, SAMPLE_SHARE = 0.2, 0.5
"""Of an answer's variance: what the samples of an image share, and what all runs' answers to a sample share."""

STEPS = (-0.6, -0.2, 0.2, 0.6)
"""Where the thresholds of a graded score lie around its mean p, in units of p (1 - p)."""

KINDS = ("binary", "graded", "weighted")
"""Right or wrong; 0, 1/4, ... 1; and graded with a weight of 1 to 5 a sample, so that a score is a ratio of sums."""

SHARES = (0.03, 0.97)
"""No true score leaves this range."""

_QUANTILE = np.vectorize(NormalDist().inv_cdf)


@dataclass(frozen=True)
class Shape:
    """What the experiments of a benchmark have in common; ranges are drawn from uniformly, a task at a time.

    Attributes:
        tasks: their number; the kinds of scores take turns.
        images: images of a task.
        mini: true score after the mini run.
        gap: what a task's own large subset adds.
        contribution: mean and standard deviation of the normal that true C are drawn from.
        seeds: repetitions of each preparation run.
        seed_spread: standard deviation of a score between repetitions.
    """

    tasks: int
    images: tuple[int, int]
    mini: tuple[float, float] = (0.3, 0.6)
    gap: tuple[float, float] = (0.08, 0.25)
    contribution: tuple[float, float] = (0.15, 0.25)
    seeds: int = 1
    seed_spread: float = 0.0

    @cached_property
    def names(self) -> list[str]:
        """The tasks, each a group of its own."""
        return [f"task{number}" for number in range(self.tasks)]

    @cached_property
    def columns(self) -> list[Column]:
        """The validation columns, one a task."""
        return [Column(name, "score") for name in self.names]

    @cached_property
    def design(self) -> Design:
        """The columns, and settings with these seeds."""
        return Design.ungrouped(self.columns, SETTINGS.model_copy(update={"seeds": self.seeds}))


SETTINGS = BalanceSettings(temperature=0.5)
"""A given temperature: intervals are for the one that was used."""


def true_scores(shape: Shape, generator: np.random.Generator) -> Floats:
    """Draw a true validation matrix [N + 1 runs, N columns]."""
    count = shape.tasks
    mini, gap = generator.uniform(*shape.mini, count), generator.uniform(*shape.gap, count)
    C = generator.normal(*shape.contribution, (count, count))
    np.fill_diagonal(C, 1.0)
    return np.clip(np.vstack([mini, mini + C * gap]), *SHARES)


def answered(
    column: str, kind: str, shares: Mapping[str, float], images: int, generator: np.random.Generator
) -> PairedSamples:
    """Draw the scores of several runs on the same samples of one column; ``shares`` are the runs' true scores."""
    image = np.repeat(np.arange(images), generator.integers(1, 4, images))
    shared = np.sqrt(IMAGE_SHARE) * generator.normal(size=images)[image]
    shared += np.sqrt(SAMPLE_SHARE) * generator.normal(size=image.size)
    own = np.sqrt(1 - IMAGE_SHARE - SAMPLE_SHARE) * generator.normal(size=(len(shares), image.size))
    p = np.array(list(shares.values()))[:, None]
    steps = (0.0,) if kind == "binary" else STEPS
    scores = np.mean([shared + own < _QUANTILE(p + step * p * (1 - p)) for step in steps], axis=0)
    weights = generator.integers(1, 6, image.size) if kind == "weighted" else np.ones(image.size)
    below = np.broadcast_to(weights, scores.shape).astype(np.float64)
    return PairedSamples(column, tuple(shares), scores * below, below, [f"{column}-{number}" for number in image])


def preparation(shape: Shape, truth: Floats, generator: np.random.Generator) -> list[PairedSamples]:
    """Draw what the preparation runs and their repetitions score on the validation samples of every column."""
    repeated = np.repeat(truth, shape.seeds, axis=0)
    repeated = np.clip(repeated + shape.seed_spread * generator.normal(size=repeated.shape), *SHARES)
    names = list(shape.design.names.scored)
    return [
        answered(
            name,
            KINDS[place % len(KINDS)],
            dict(zip(names, repeated[:, place], strict=True)),
            int(generator.integers(*shape.images)),
            generator,
        )
        for place, name in enumerate(shape.names)
    ]
