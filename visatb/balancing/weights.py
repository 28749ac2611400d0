"""From files of per-sample validation scores to the tables of contributions, difficulties and weights."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from visatb.balancing.balance import Balance, balance
from visatb.balancing.bootstrap import Intervals, Replicates, intervals, replicate, replicates_table
from visatb.balancing.design import Design
from visatb.balancing.gaps import gap_standard_errors
from visatb.balancing.matrix import validation_matrix
from visatb.balancing.shrinkage import shrunk
from visatb.balancing.unknown_spread import Scores, affected, hide_unknown, unknown_notes
from visatb.balancing.weights_comparison import weights_comparison
from visatb.config.balancing import BalanceSettings
from visatb.errors import VisatbError
from visatb.runtime.files import read_parquet, write_json, write_parquet, write_table
from visatb.scores.columns import Column, column_names
from visatb.scores.origins import EXTRAPOLATED, MEASURED, reuse_notes
from visatb.scores.paired import PairedSamples, scored_samples
from visatb.scores.table import about_scores

GROUP_NUMBERS = ("C_out", "C_in", "D", "lambda_out", "lambda_in", "lambda_D")
TABLES = ("contributions", "contributions_intervals", "difficulty", "weights", "weights_comparison")


@dataclass(frozen=True)
class WeightTables:
    """The tables that people read, as they are written to files.

    ``balancing`` are the settings that were used, as JSON values: the temperature as a number, and notes in words.
    """

    contributions: pd.DataFrame
    contributions_intervals: pd.DataFrame
    difficulty: pd.DataFrame
    weights: pd.DataFrame
    weights_comparison: pd.DataFrame
    replicates: pa.Table
    balancing: dict[str, Any]

    def write(self, folder: Path) -> None:
        """Write them to a folder, each to the file of its name."""
        for name in TABLES:
            write_table(folder / f"{name}.tsv", getattr(self, name))
        write_parquet(folder / "replicates.parquet", self.replicates)
        write_json(folder / "balancing.json", self.balancing)


def validation_samples(
    folder: str | Path, columns: Sequence[Column], needs: Mapping[str, Collection[str]]
) -> list[PairedSamples]:
    """Read ``<folder>/<run>/val/<task>.parquet`` of every run and the columns it is needed in, aligned by sample."""
    return [
        scored_samples(name, folder, "val", column, [run for run, needed in needs.items() if name in needed])
        for name, column in zip(column_names(columns), columns, strict=True)
    ]


def score_origins(
    folder: str | Path, columns: Sequence[Column], needs: Mapping[str, Collection[str]]
) -> dict[tuple[str, str], str]:
    """Return (run, task) -> where its validation scores come from, of those that were not measured here."""
    tasks = dict(zip(column_names(columns), [column.task for column in columns], strict=True))
    cells = dict.fromkeys((run, tasks[name]) for run, needed in needs.items() for name in needed)
    origins = {
        (run, task): about_scores(read_parquet(Path(folder) / run / "val" / f"{task}.parquet", ["id"]))["origin"]
        for run, task in cells
    }
    return {cell: origin for cell, origin in origins.items() if origin != MEASURED}


def measured_balance(
    samples: Sequence[PairedSamples], design: Design, replicates: int, seed: int
) -> tuple[Balance, Replicates]:
    """Return C, D and the weights, and the same in each replicate of the bootstrap; NaN where no spread is known.

    The arguments are those of `measure_weights`. Raises `VisatbError` where contributions are to be shrunk and a spread
    is not known.
    """
    unknown = _unknown_spreads(samples)
    if unknown and design.settings.estimator == "shrunk":
        raise VisatbError(
            f"estimator: shrunk needs the spread of every score, and that of {', '.join(unknown)} is not known "
            "(imported values without samples); import the samples, or take the estimator paper"
        )
    matrix = validation_matrix(samples, design.names.repetitions)
    point = balance(matrix, design, gap_standard_errors(samples, design))
    drawn = replicate(point, samples, replicates, seed)
    if design.settings.estimator == "shrunk":
        return shrunk(point, drawn, seed)
    return point, hide_unknown(point, drawn, unknown)


def _unknown_spreads(samples: Sequence[PairedSamples]) -> dict[str, tuple[str, ...]]:
    """Return column -> the runs whose scores have no known spread."""
    return {paired.column: paired.unknown_spread for paired in samples if paired.unknown_spread}


def measure_weights(
    samples: Sequence[PairedSamples],
    design: Design,
    fixed: Mapping[str, float],
    replicates: int,
    seed: int,
    origins: Mapping[tuple[str, str], str] | None = None,
    notes: Sequence[str] = (),
) -> WeightTables:
    """Compute Eq. 3-8 with 95 % intervals and lay the result out as tables.

    Args:
        samples: of every validation column (`validation_samples`).
        design: columns, groups and settings of the balancing.
        fixed: task -> given weight, of the tasks that take no part.
        replicates: draws of the bootstrap behind the intervals.
        seed: of these draws.
        origins: (run, task) -> where its scores come from, of those that were not measured here (`score_origins`).
        notes: what readers must know of how these weights came about.
    """
    point, drawn = measured_balance(samples, design, replicates, seed)
    bounds = intervals(point, drawn)
    origins = origins or {}
    reused = reuse_notes(origins)
    approximate = {
        name: [run for (run, task), origin in origins.items() if task == column.task and origin == EXTRAPOLATED]
        for name, column in zip(design.names.columns, design.columns, strict=True)
    }
    return WeightTables(
        contributions=point.C.rename_axis("from").reset_index(),
        contributions_intervals=_marked_pairs(point, bounds, approximate),
        difficulty=_difficulty(point, bounds, approximate),
        weights=_weights(point, bounds, fixed, reused),
        weights_comparison=weights_comparison(point, drawn),
        replicates=replicates_table(point, drawn),
        balancing={
            **_told(design.settings),
            "temperature": point.temperature,
            "temperature_chosen": "by the rule" if design.settings.temperature == "auto" else "by the config",
            "notes": [*point.notes, *unknown_notes(point, _unknown_spreads(samples))],
            "remarks": list(notes),
            **_widest(bounds),
            "unlearned": [str(column) for column in point.unlearned],
            "not_measured": _not_measured(point),
        },
    )


def _told(settings: BalanceSettings) -> dict[str, Any]:
    """Return the settings as ``balancing.json`` has them: on one level, with the difficulty that was used."""
    flat: dict[str, Any] = {}
    for key, value in settings.model_dump(by_alias=True).items():
        flat |= {f"alpha_{name}": share for name, share in value.items()} if key == "alpha" else {key: value}
    return flat | {"difficulty": settings.difficulty_used}


def _widest(bounds: Intervals) -> dict[str, float]:
    """Return how far the widest known interval of a weight reaches to either side."""
    widest = (bounds.groups["weight_high"] - bounds.groups["weight_low"]).max() / 2
    return {} if pd.isna(widest) else {"largest_half_width": float(widest)}


def _not_measured(point: Balance) -> list[str]:
    """Return the groups of whose columns none could be used: C_in and D of others stand in for theirs."""
    measured = {int(group) for group in point.layout.group_of[point.screening.kept]}
    return [name for number, name in enumerate(point.names.groups) if number not in measured]


def _marked_pairs(point: Balance, bounds: Intervals, approximate: Scores) -> pd.DataFrame:
    """Return the contributions with intervals; where some are approximate, a column says which."""
    if not any(approximate.values()):
        return bounds.contributions
    marks = pd.DataFrame(affected(point, approximate)[0], index=point.C.index, columns=point.C.columns)
    pairs = zip(bounds.contributions["from"], bounds.contributions["to"], strict=True)
    return bounds.contributions.assign(approximate=["yes" if marks.at[pair] else "no" for pair in pairs])


def _difficulty(point: Balance, bounds: Intervals, approximate: Scores) -> pd.DataFrame:
    low, high = bounds.groups["D_low"], bounds.groups["D_high"]
    table = pd.DataFrame({"group": point.D.index, "D": point.D.to_numpy(), "low": low.array, "high": high.array})
    if not any(approximate.values()):
        return table
    return table.assign(approximate=["yes" if mark else "no" for mark in affected(point, approximate)[1]])


def _weights(point: Balance, bounds: Intervals, fixed: Mapping[str, float], reused: Mapping[str, str]) -> pd.DataFrame:
    groups = point.design.groups
    unlearned = {group: [str(column) for column in point.unlearned if column.group == group] for group in groups}
    notes = {
        group: "; ".join([*unlearned[group], *(f"{task}: {reused[task]}" for task in tasks if task in reused)])
        for group, tasks in groups.items()
    }
    rows = []
    for group, tasks in groups.items():
        numbers = {name: getattr(point, name)[group] for name in GROUP_NUMBERS}
        interval = {f"weight_{end}": bounds.groups.loc[group, f"weight_{end}"] for end in ("low", "high")}
        shared = {**numbers, "weight": point.weights[group], **interval, "note": notes[group]}
        rows += [{"task": task, "group": group, **shared} for task in tasks]
    rows += [{"task": task, "group": "", "weight": weight, "note": "fixed"} for task, weight in fixed.items()]
    names = ["task", "group", *GROUP_NUMBERS, "weight", "weight_low", "weight_high", "note"]
    return pd.DataFrame(rows, columns=names)
