"""The smallest sampling rates that keep to the paper's limits, for data of these sizes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path

import pyarrow.parquet as pq

from visatb.data.mixtures import subset_size
from visatb.planning.jobs import SamplingJob

LARGE_SAMPLES, LARGE_STEPS = 10_000, 100
"""A large subset should hold more samples and be trained for more steps than this (appendix G of the paper)."""

MINI_SAMPLES, MINI_STEPS = 1_000, 100
"""A task's mini subset should hold at least so many samples, all of them more steps than so (appendix B)."""

GRAIN = 10_000
"""Rates are whole numbers of its parts."""

Keeps = Callable[[float], bool]


@dataclass(frozen=True)
class Limit:
    """What is wanted of what, and whether a rate keeps to it; a higher rate does if a lower one does."""

    wanted: str
    of: str
    keeps: Keeps


@dataclass(frozen=True)
class Rates:
    """Sampling rates, and for each that was chosen a line that says why."""

    large: float
    mini: float
    why: tuple[str, ...] = ()


@dataclass(frozen=True)
class TrainSizes:
    """How many records the train splits hold, and what makes steps of them.

    Attributes:
        groups: group -> task -> records of its train split.
        fixed: fixed task -> records.
        global_batch_size: samples of an optimiser step.
        epochs: passes over a mixture.
    """

    groups: Mapping[str, Mapping[str, int]]
    fixed: Mapping[str, int]
    global_batch_size: int
    epochs: float

    def steps(self, samples: int) -> int:
        """Return the optimiser steps of a training on ``samples``."""
        return ceil(ceil(samples / self.global_batch_size) * self.epochs)


def train_sizes(job: SamplingJob, records: Path) -> TrainSizes:
    """Return the sizes of the train splits in ``<records>/<task>/train.parquet``."""

    def lengths(tasks: Sequence[str]) -> dict[str, int]:
        return {task: pq.read_metadata(records / task / "train.parquet").num_rows for task in tasks}

    groups = {group: lengths(tasks) for group, tasks in job.groups.items()}
    return TrainSizes(groups, lengths(job.fixed), job.global_batch_size, job.epochs)


def resolved_rates(large: float | str, mini: float | str, sizes: TrainSizes) -> Rates:
    """Return both rates as numbers; ``auto`` is replaced by the smallest that keeps to the paper's limits.

    Data that are too small for R_large get 1. R_mini is half of R_large at most: what mini does not reach is what is
    measured. R_large is at least twice R_mini.
    """
    why: list[str] = []
    floor_of_mini = _smallest(_mini_limits(sizes)) if mini == "auto" else (float(mini), "")
    if large == "auto":
        by_limits, reason = _smallest(_large_limits(sizes))
        chosen_large = min(1.0, max(by_limits, 2 * floor_of_mini[0]))
        reason = reason if chosen_large == by_limits else "twice R_mini, so that there is something to measure"
        why.append(f"R_large = {chosen_large:g}: {reason}")
    else:
        chosen_large = float(large)
    chosen_mini, reason = floor_of_mini
    if mini == "auto":
        if chosen_mini > chosen_large / 2:
            chosen_mini = max(1, int(chosen_large / 2 * GRAIN)) / GRAIN
            reason = f"half of R_large, though this is too little: {reason}"
        why.append(f"R_mini = {chosen_mini:g}: {reason}")
    return Rates(chosen_large, chosen_mini, tuple(why))


def _large_limits(sizes: TrainSizes) -> list[Limit]:
    def samples(group: str, rate: float) -> int:
        return sum(subset_size(size, rate) for size in sizes.groups[group].values())

    def enough(group: str) -> Keeps:
        return lambda rate: samples(group, rate) > LARGE_SAMPLES

    def long(group: str) -> Keeps:
        return lambda rate: samples(group, rate) * sizes.epochs / sizes.global_batch_size > LARGE_STEPS

    return [
        *(Limit(f"more than {LARGE_SAMPLES:,} samples", group, enough(group)) for group in sizes.groups),
        *(Limit(f"more than {LARGE_STEPS} steps", group, long(group)) for group in sizes.groups),
    ]


def _mini_limits(sizes: TrainSizes) -> list[Limit]:
    tasks = {task: size for members in sizes.groups.values() for task, size in members.items()}

    def enough(size: int) -> Keeps:
        return lambda rate: subset_size(size, rate) >= MINI_SAMPLES

    def long(rate: float) -> bool:
        return (
            sizes.steps(sum(subset_size(size, rate) for size in [*tasks.values(), *sizes.fixed.values()])) > MINI_STEPS
        )

    return [
        *(Limit(f"at least {MINI_SAMPLES:,} samples", task, enough(size)) for task, size in tasks.items()),
        Limit(f"more than {MINI_STEPS} steps", "all minis together", long),
    ]


def _smallest(limits: Sequence[Limit]) -> tuple[float, str]:
    """Return the smallest rate that keeps to all limits, and which asked for it; 1 where none does."""
    needed = [(limit, _smallest_one(limit.keeps)) for limit in limits]
    missed = [limit for limit, rate in needed if rate is None]
    if missed:
        wanted = dict.fromkeys(limit.wanted for limit in missed)
        words = (
            f"{minimum} of {', '.join(limit.of for limit in missed if limit.wanted == minimum)}" for minimum in wanted
        )
        return 1.0, f"the data are too small for {', and '.join(words)}"
    limit, rate = max(((limit, rate) for limit, rate in needed if rate is not None), key=lambda pair: pair[1])
    return rate, f"the smallest with {limit.wanted} of {limit.of}"


def _smallest_one(keeps: Keeps) -> float | None:
    if not keeps(1.0):
        return None
    below, above = 0, GRAIN
    while above - below > 1:
        middle = (below + above) // 2
        below, above = (below, middle) if keeps(middle / GRAIN) else (middle, above)
    return above / GRAIN
