"""What several runs scored on the same samples, aligned by sample.

A score is sum(numerator) / sum(denominator) over the samples of a column. All runs answered the same samples, and
samples of one image are not independent, so images are the units of every standard error and every bootstrap.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from visatb.errors import VisatbError, bullet_list
from visatb.runtime.arrays import Floats
from visatb.runtime.files import read_parquet
from visatb.scores.columns import Column
from visatb.scores.table import about_scores

SAMPLE_COLUMNS = ["id", "image", "metric", "numerator", "denominator"]


@dataclass(frozen=True)
class PairedSamples:
    """What several runs scored on the same samples, for one column.

    ``numerators`` and ``denominators`` are [runs, samples]; ``images`` [samples] says which samples belong
    together. Of the runs ``unknown_spread`` the score is known and nothing of what its samples scored.

    Raises:
        VisatbError: for values that are not finite, denominators that are negative or sum to 0, or fewer
            than two images, of which no uncertainty can be known.
    """

    column: str
    runs: tuple[str, ...]
    numerators: Floats
    denominators: Floats
    images: Sequence[str]
    unknown_spread: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        problems = []
        for run, above, below in zip(self.runs, self.numerators, self.denominators, strict=True):
            if not (np.isfinite(above).all() and np.isfinite(below).all()):
                problems.append(f"run {run} has scores that are not finite numbers")
            elif (below < 0).any() or below.sum() <= 0:
                problems.append(f"the denominators of run {run} must not be negative and not all 0")
        if len(set(self.images)) < 2:
            problems.append(f"samples of at least two images are needed, found {len(set(self.images))}")
        if problems:
            raise VisatbError(f"the samples of {self.column} cannot be used:\n{bullet_list(problems)}")

    def scores(self) -> Floats:
        """Return the score [runs] of each run."""
        scores: Floats = self.numerators.sum(axis=1) / self.denominators.sum(axis=1)
        return scores

    def image_sums(self) -> tuple[list[str], Floats, Floats]:
        """Return the distinct images, and the numerators and denominators [runs, images] summed over each."""
        labels, image = np.unique(np.asarray(self.images, dtype=str), return_inverse=True)
        sums: list[Floats] = [
            np.stack([np.bincount(image, row, labels.size) for row in rows]).astype(np.float64)
            for rows in (self.numerators, self.denominators)
        ]
        return labels.tolist(), sums[0], sums[1]


def paired_samples(column: str, tables: Mapping[str, pd.DataFrame]) -> PairedSamples:
    """Align what several runs scored in one column.

    Args:
        column: its name, for messages.
        tables: run -> table with the columns id, image, numerator, denominator, in any order of rows. Samples
            without an image (text only) each stand for themselves.

    Raises:
        VisatbError: naming repeated ids, ids that some runs have and others lack, and images that differ.
    """
    first, *_ = tables
    indexed = {run: table.set_index("id") for run, table in tables.items()}
    order = indexed[first].index
    problems = [problem for run in tables for problem in _alignment_problems(first, run, indexed)]
    if problems:
        raise VisatbError(f"the runs were not scored on the same samples of {column}:\n{bullet_list(problems)}")
    aligned = [table.loc[order] for table in indexed.values()]
    images = [
        f"sample {sample}" if pd.isna(image) else f"image {image}"
        for sample, image in zip(order, indexed[first]["image"], strict=True)
    ]
    numerators = np.stack([table["numerator"].to_numpy(dtype=np.float64) for table in aligned])
    denominators = np.stack([table["denominator"].to_numpy(dtype=np.float64) for table in aligned])
    return PairedSamples(column, tuple(tables), numerators, denominators, images)


def by_column(samples: Sequence[PairedSamples], needs: Mapping[str, Sequence[str]]) -> dict[str, PairedSamples]:
    """Return the samples by column in the matrix's order, after checking that all are there."""
    samples_of = {paired.column: paired for paired in samples}
    wanted = list(next(iter(needs.values())))
    problems = [f"column {column} has no samples" for column in wanted if column not in samples_of]
    problems += [
        f"column {column} has no samples of run {run}"
        for run, columns in needs.items()
        for column in columns
        if column in samples_of and run not in samples_of[column].runs
    ]
    if problems:
        raise VisatbError(f"samples are missing for the validation matrix:\n{bullet_list(problems)}")
    return {column: samples_of[column] for column in wanted}


def influences(numerators: Floats, denominators: Floats) -> Floats:
    """Return [runs, images] how much each image moves each run's score, to first order."""
    total = denominators.sum(axis=1, keepdims=True)
    moved: Floats = (numerators - numerators.sum(axis=1, keepdims=True) / total * denominators) / total
    return moved


def spread(influences: Floats) -> Floats:
    """Return the standard error [...] of a score whose images move it by ``influences`` [..., images]."""
    images = influences.shape[-1]
    error: Floats = np.sqrt(images / (images - 1) * (influences**2).sum(axis=-1))
    return error


def _alignment_problems(first: str, run: str, indexed: Mapping[str, pd.DataFrame]) -> list[str]:
    table, reference = indexed[run], indexed[first]
    if not table.index.is_unique:
        repeated = table.index[table.index.duplicated()].unique()
        return [f"run {run} has ids more than once: {_some(repeated)}"]
    problems = [
        f"run {lacking} lacks ids that run {having} has: {_some(ids)}"
        for lacking, having, ids in (
            (run, first, reference.index.difference(table.index)),
            (first, run, table.index.difference(reference.index)),
        )
        if len(ids)
    ]
    if not problems and reference.index.is_unique:
        own, other = table["image"].loc[reference.index], reference["image"]
        moved = other.index[~((own == other) | (own.isna() & other.isna())).fillna(False).to_numpy(dtype=bool)]
        if len(moved):
            problems.append(f"runs {first} and {run} name different images for the ids {_some(moved)}")
    return problems


def _some(ids: pd.Index) -> str:
    shown = ", ".join(str(sample) for sample in ids[:5])
    return shown if len(ids) <= 5 else f"{shown} and {len(ids) - 5} more"


def partly_paired_samples(column: str, tables: Mapping[str, pd.DataFrame], unpaired: Collection[str]) -> PairedSamples:
    """Align what several runs scored in one column, where the samples of ``unpaired`` runs are their own.

    The samples of an unpaired run have the denominator 0 in every other run and the others' in this one. A draw of
    all images then draws those of each run apart, and the variances of two unpaired runs add up.

    Args:
        column: its name, for messages.
        tables: run -> table as in `visatb.scores.paired.paired_samples`.
        unpaired: the runs whose samples no other run shares.

    Raises:
        VisatbError: as `visatb.scores.paired.paired_samples`.
    """
    together = {run: table for run, table in tables.items() if run not in unpaired}
    alone = [{run: table} for run, table in tables.items() if run in unpaired]
    parts = [paired_samples(column, part) for part in ([together] if together else []) + alone]
    runs = tuple(tables)
    above = [_among(runs, part, part.numerators) for part in parts]
    below = [_among(runs, part, part.denominators) for part in parts]
    images = [f"{run} {image}" if run in unpaired else image for part in parts for run, image in _labels(part)]
    return PairedSamples(column, runs, np.concatenate(above, axis=1), np.concatenate(below, axis=1), images)


def _labels(part: PairedSamples) -> list[tuple[str, str]]:
    return [(part.runs[0], image) for image in part.images]


def _among(runs: Sequence[str], part: PairedSamples, values: np.ndarray) -> np.ndarray:
    rows = np.zeros((len(runs), values.shape[1]))
    rows[[runs.index(run) for run in part.runs]] = values
    return rows


def scored_samples(name: str, folder: str | Path, split: str, column: Column, runs: Sequence[str]) -> PairedSamples:
    """Read what ``runs`` scored on a split in one column, called ``name``, aligned by sample."""
    files = {run: Path(folder) / run / split / f"{column.task}.parquet" for run in runs}
    tables = {run: read_parquet(file, SAMPLE_COLUMNS) for run, file in files.items()}
    about = {run: about_scores(table) for run, table in tables.items()}
    unpaired = [run for run in tables if column.metric in about[run]["unpaired"]]
    of_metric = {run: _of_metric(table, column.metric) for run, table in tables.items()}
    unknown = tuple(run for run in tables if column.metric in about[run]["unknown_spread"])
    return replace(partly_paired_samples(name, of_metric, unpaired), unknown_spread=unknown)


def _of_metric(table: pa.Table, metric: str) -> pd.DataFrame:
    return table.filter(pc.equal(table["metric"], metric)).drop_columns("metric").to_pandas()
