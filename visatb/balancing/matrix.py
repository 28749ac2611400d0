"""The validation matrix V, and the same as an array, checked by name."""

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from visatb.balancing.design import Names
from visatb.errors import VisatbError, bullet_list
from visatb.runtime.arrays import Floats
from visatb.scores.paired import PairedSamples


def validation_matrix(samples: Sequence[PairedSamples], repetitions: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Return V: scores as the metrics give them, runs x columns; a cell that no run was asked for is empty.

    Args:
        samples: what the trainings scored in each column.
        repetitions: run -> the trainings that its score is the mean of, itself first.
    """
    columns = {paired.column: pd.Series(paired.scores(), index=list(paired.runs)) for paired in samples}
    scores = pd.DataFrame(columns)
    means = {run: scores.reindex(list(trained)).mean(skipna=False) for run, trained in repetitions.items()}
    return pd.DataFrame(means).T.reindex(columns=list(columns))


def array_of(matrix: pd.DataFrame, names: Names) -> Floats:
    """Return the scores [R, K] of ``matrix`` in the order of ``names``, cells that are not needed as 0.

    Raises:
        VisatbError: naming every missing, unexpected or repeated run and column, and every score that is
            not a finite number.
    """
    problems = [
        *_axis_problems("run", list(matrix.index), names.runs),
        *_axis_problems("column", list(matrix.columns), names.columns),
        *_cell_problems(matrix, names),
    ]
    if problems:
        raise VisatbError(f"the validation matrix cannot be used:\n{bullet_list(problems)}")
    needed = [[column in names.needs[run] for column in names.columns] for run in names.runs]
    ordered = matrix.loc[list(names.runs), list(names.columns)].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(needed, ordered, 0.0)


def _axis_problems(what: str, given: Sequence[object], wanted: Sequence[str]) -> Iterator[str]:
    for name in wanted:
        if name not in given:
            yield f"{what} {name} is missing"
    for extra, count in Counter(given).items():
        if extra not in wanted:
            yield f"{what} {extra} is not expected here"
        elif count > 1:
            yield f"{what} {extra} is there {count} times"


def _cell_problems(matrix: pd.DataFrame, names: Names) -> Iterator[str]:
    if not (matrix.index.is_unique and matrix.columns.is_unique):
        return
    for run in (run for run in names.runs if run in matrix.index):
        for column in (column for column in names.needs[run] if column in matrix.columns):
            value = matrix.loc[run, column]
            try:
                finite = math.isfinite(float(value))
            except (TypeError, ValueError):
                finite = False
            if not finite:
                yield f"run {run}, column {column}: the score is {value}; a finite number is needed"
