"""Nested random subsets of a task's train split, and the mixtures that runs are trained on."""

import hashlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from visatb.errors import VisatbError

MIXTURE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("conversations", pa.list_(pa.struct([("from", pa.string()), ("value", pa.string())]))),
        ("task", pa.string()),
        ("subset", pa.string()),
    ]
)


def subset_size(samples: int, rate: float) -> int:
    """Return how many of ``samples`` a subset of that rate holds, rounded to the nearest whole number."""
    return int(np.floor(samples * rate + 0.5))


def subset_rows(samples: int, size: int, seed: int, task: str) -> np.ndarray:
    """Return the rows of a random subset, shape [size], in drawing order.

    The subset is a prefix of one permutation that depends on seed and task alone: a smaller subset lies within
    every larger one, as Eq. 3 wants of mini and large.
    """
    key = int.from_bytes(hashlib.sha256(f"{seed}/{task}".encode()).digest()[:8], "little")
    return np.random.default_rng(key).permutation(samples)[:size]


def build_mixture(
    records: Mapping[str, pa.Table], subsets: Mapping[str, str], rates: Mapping[str, float], seed: int
) -> pa.Table:
    """Return the rows that a run is trained on.

    Args:
        records: task -> its train split (`visatb.data.records`).
        subsets: task -> ``mini``, ``large`` or ``train``.
        rates: subset -> sampling rate.
        seed: of the sampling.

    Raises:
        VisatbError: a subset would be empty, or the large subset no larger than the mini one.
    """
    parts = []
    for task, subset in subsets.items():
        table = records[task]
        size = _checked_size(task, subset, len(table), rates)
        rows = table.select(["id", "image", "conversations"]).take(subset_rows(len(table), size, seed, task))
        named = rows.append_column("task", pa.array([task] * size, pa.string()))
        parts.append(named.append_column("subset", pa.array([subset] * size, pa.string())))
    return pa.concat_tables(parts).cast(MIXTURE_SCHEMA)


def _checked_size(task: str, subset: str, samples: int, rates: Mapping[str, float]) -> int:
    size = subset_size(samples, rates[subset])
    if size == 0:
        raise VisatbError(
            f"task '{task}': its {subset} subset ({rates[subset]:g} of {samples} samples) is empty; "
            f"raise sampling.{subset} or give the task more data"
        )
    if subset == "large" and size <= subset_size(samples, rates["mini"]):
        raise VisatbError(
            f"task '{task}': its large subset holds {size} of {samples} samples, no more than its mini subset; "
            "raise sampling.large, lower sampling.mini or give the task more data"
        )
    return size
