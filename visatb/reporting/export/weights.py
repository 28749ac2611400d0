"""The weights as other programs take them: plain JSON and CSV, and as shares of a sampled data mix."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from visatb.errors import VisatbError
from visatb.runtime.files import write_json, write_text
from visatb.runtime.tables import read_columns

EMULATION = "emulates the weighting by sampling"
_MEANING = (
    "weight: lambda, which multiplies the loss of every supervised token of the task in Eq. 2; its mean over the "
    f"balanced groups is 1. probability and draws: a data mix that {EMULATION}, where a trainer has no such loss"
)


@dataclass(frozen=True)
class TaskShare:
    """What a task's weight comes to.

    Attributes:
        task: its name.
        weight: lambda.
        low, high: its 95 % interval; None for a fixed task.
        samples: S, those of its train split.
        probability: lambda S, relative to the sum over all tasks.
        draws: lambda S as a whole number, at least 1: samples drawn in an epoch.
    """

    task: str
    weight: float
    low: float | None
    high: float | None
    samples: int
    probability: float
    draws: int


def task_shares(weights: pd.DataFrame, samples: Mapping[str, int]) -> list[TaskShare]:
    """Return the share of every task of a weights table (``task``, ``weight``, ``weight_low``, ``weight_high``).

    Raises:
        VisatbError: a weight is no positive number, or a task has no samples.
    """
    bad = [task for task, weight in zip(weights["task"], weights["weight"], strict=True) if not weight > 0]
    bad += [task for task in weights["task"] if samples.get(task, 0) < 1]
    if bad:
        raise VisatbError(f"nothing can be exported: no positive weight, or no samples, of {', '.join(map(str, bad))}")
    amounts = [row.weight * samples[row.task] for row in weights.itertuples()]
    return [
        TaskShare(
            task=row.task,
            weight=float(row.weight),
            low=_number(row.weight_low),
            high=_number(row.weight_high),
            samples=samples[row.task],
            probability=amount / math.fsum(amounts),
            draws=max(1, round(amount)),
        )
        for row, amount in zip(weights.itertuples(), amounts, strict=True)
    ]


def _number(value: float) -> float | None:
    return None if pd.isna(value) else float(value)


def read_weights_table(path: str | Path) -> pd.DataFrame:
    """Read what `task_shares` needs of a ``weights.tsv``."""
    return read_columns(path, ["task"], ["weight", "weight_low", "weight_high"])


def write_weights(folder: str | Path, experiment: str, objective: str, shares: Sequence[TaskShare]) -> None:
    """Write ``weights.json`` and ``weights.csv`` into ``folder``.

    ``objective``: what the trainings learned behind the weights, which do not carry over to another one.
    """
    rows = [asdict(share) for share in shares]
    tasks = {row["task"]: {key: value for key, value in row.items() if key != "task"} for row in rows}
    head = {"experiment": experiment, "objective": objective, "meaning": _MEANING}
    write_json(Path(folder) / "weights.json", {**head, "tasks": tasks})
    write_text(Path(folder) / "weights.csv", pd.DataFrame(rows).to_csv(index=False, lineterminator="\n"))
