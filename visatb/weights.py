"""From files of per-sample validation scores to the tables of contributions, difficulties and weights."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from visatb.balance import Balance, balance
from visatb.bootstrap import Intervals, Replicates, intervals, replicate, replicates_table
from visatb.files import read_parquet
from visatb.paired_samples import PairedSamples, paired_samples
from visatb.shrinkage import shrunk
from visatb.uncertainty import gap_standard_errors
from visatb.validation_matrix import BalanceSettings, Column, Groups, column_names, needed_scores, repetitions
from visatb.weights_comparison import weights_comparison

GROUP_NUMBERS = ("C_out", "C_in", "D", "lambda_out", "lambda_in", "lambda_D")


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


def validation_samples(
    folder: str | Path, columns: Sequence[Column], needs: Mapping[str, Collection[str]]
) -> list[PairedSamples]:
    """Read ``<folder>/<run>/val/<task>.parquet`` of every run and the columns it is needed in, aligned by sample."""
    return [
        scored_samples(name, folder, "val", column, [run for run, needed in needs.items() if name in needed])
        for name, column in zip(column_names(columns), columns, strict=True)
    ]


def scored_samples(name: str, folder: str | Path, split: str, column: Column, runs: Sequence[str]) -> PairedSamples:
    """Read what ``runs`` scored on a split in one column, called ``name``, aligned by sample."""
    files = {run: Path(folder) / run / split / f"{column.task}.parquet" for run in runs}
    return paired_samples(name, {run: _of_metric(file, column.metric) for run, file in files.items()})


def _of_metric(file: Path, metric: str) -> pd.DataFrame:
    table = read_parquet(file, ["id", "image", "metric", "numerator", "denominator"])
    return table.filter(pc.equal(table["metric"], metric)).drop_columns("metric").to_pandas()


def validation_matrix(samples: Sequence[PairedSamples], runs: Sequence[str], seeds: int = 1) -> pd.DataFrame:
    """Return V: scores as the metrics give them, runs x columns; a cell that no run was asked for is empty.

    The score of a run that is repeated with other seeds is the mean over its ``seeds`` trainings.
    """
    columns = {one.column: pd.Series(one.scores(), index=list(one.runs)) for one in samples}
    scores = pd.DataFrame(columns)
    means = {run: scores.reindex(list(repetitions(run, seeds))).mean(skipna=False) for run in runs}
    return pd.DataFrame(means).T.reindex(columns=list(columns))


def measured_balance(
    samples: Sequence[PairedSamples],
    columns: Sequence[Column],
    groups: Groups,
    settings: BalanceSettings,
    replicates: int,
    seed: int,
) -> tuple[Balance, Replicates]:
    """Return C, D and the weights, and the same in each replicate of the bootstrap.

    The arguments are those of `measure_weights`.
    """
    matrix = validation_matrix(samples, list(needed_scores(columns, groups, settings)), settings.seeds)
    errors = gap_standard_errors(samples, columns, groups, settings)
    point = balance(matrix, columns, groups, settings, errors)
    drawn = replicate(point, samples, replicates, seed)
    return shrunk(point, drawn, seed) if settings.estimator == "shrunk" else (point, drawn)


def measure_weights(
    samples: Sequence[PairedSamples],
    columns: Sequence[Column],
    groups: Groups,
    settings: BalanceSettings,
    fixed: Mapping[str, float],
    replicates: int,
    seed: int,
) -> WeightTables:
    """Compute Eq. 3-8 with 95 % intervals and lay the result out as tables.

    Args:
        samples: of every validation column (`validation_samples`).
        columns: what the validation columns are.
        groups: group -> its tasks.
        settings: of the balancing.
        fixed: task -> given weight, of the tasks that take no part.
        replicates: draws of the bootstrap behind the intervals.
        seed: of these draws.
    """
    point, drawn = measured_balance(samples, columns, groups, settings, replicates, seed)
    bounds = intervals(point, drawn)
    return WeightTables(
        contributions=point.C.rename_axis("from").reset_index(),
        contributions_intervals=bounds.contributions,
        difficulty=_difficulty(point, bounds),
        weights=_weights(point, bounds, groups, fixed),
        weights_comparison=weights_comparison(point, drawn),
        replicates=replicates_table(point, drawn),
        balancing={
            **asdict(settings),
            "temperature": point.temperature,
            "temperature_chosen": "by the rule" if settings.temperature == "auto" else "by the config",
            "notes": point.notes,
            "largest_half_width": float((bounds.groups["weight_high"] - bounds.groups["weight_low"]).max() / 2),
            "unlearned": [str(one) for one in point.unlearned],
            "not_measured": _not_measured(point),
        },
    )


def _not_measured(point: Balance) -> list[str]:
    """Return the groups of whose columns none could be used: C_in and D of others stand in for theirs."""
    measured = {int(group) for group in point.layout.group_of[point.screening.kept]}
    return [name for number, name in enumerate(point.names.groups) if number not in measured]


def _difficulty(point: Balance, bounds: Intervals) -> pd.DataFrame:
    low, high = bounds.groups["D_low"], bounds.groups["D_high"]
    return pd.DataFrame({"group": point.D.index, "D": point.D.to_numpy(), "low": low.array, "high": high.array})


def _weights(point: Balance, bounds: Intervals, groups: Groups, fixed: Mapping[str, float]) -> pd.DataFrame:
    notes = {group: "; ".join(str(one) for one in point.unlearned if one.group == group) for group in groups}
    rows = []
    for group, tasks in groups.items():
        numbers = {name: getattr(point, name)[group] for name in GROUP_NUMBERS}
        interval = {f"weight_{end}": bounds.groups.loc[group, f"weight_{end}"] for end in ("low", "high")}
        shared = {**numbers, "weight": point.weights[group], **interval, "note": notes[group]}
        rows += [{"task": task, "group": group, **shared} for task in tasks]
    rows += [{"task": task, "group": "", "weight": weight, "note": "fixed"} for task, weight in fixed.items()]
    names = ["task", "group", *GROUP_NUMBERS, "weight", "weight_low", "weight_high", "note"]
    return pd.DataFrame(rows, columns=names)
