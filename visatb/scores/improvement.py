"""Eq. 9: how much better or worse a method is than a baseline, averaged over tasks.

dI and dE compare with single-task learning on the tasks that were trained; dI_zero is dI against equal
weighting on tasks that were not. Every number here is per task, also where tasks are balanced in groups.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from visatb.errors import VisatbError, bullet_list
from visatb.scores.columns import Column, column_names


def improvement(scores: pd.DataFrame, baseline: str, columns: Sequence[Column]) -> pd.DataFrame:
    """Return I of Eq. 9 for every method and task, as a fraction: 0.1 is 10 % better than the baseline.

    Args:
        scores: test scores as the metrics give them, methods x columns, under the names of `column_names`.
        baseline: the method (a row of ``scores``) that the others are compared with; its own I is 0.
        columns: what the columns are. The metrics of a task are averaged; the sign of a metric that is better
            lower is turned.

    Raises:
        VisatbError: naming every missing method, column or score, and every score of the baseline that is not
            above 0: a share of 0 is undefined and a share of a negative score has the wrong sign.
    """
    names = column_names(columns)
    problems = _problems(scores, baseline, names)
    if problems:
        raise VisatbError(f"the improvement over {baseline} cannot be computed:\n{bullet_list(problems)}")
    values = scores[names].to_numpy(dtype=np.float64)
    reference = scores.loc[baseline, names].to_numpy(dtype=np.float64)
    sign = np.array([1.0 if column.higher_is_better else -1.0 for column in columns])
    change = pd.DataFrame(sign * (values - reference) / reference, index=scores.index)
    tasks = [column.task for column in columns]
    return change.T.groupby(tasks, sort=False).mean().T


def delta_i(improvements: pd.DataFrame) -> pd.Series:
    """Return dI in percent for every row of `improvement`'s result; dI_zero where the baseline was EW."""
    return 100 * improvements.mean(axis=1)


def delta_e(improvements: pd.DataFrame) -> pd.Series:
    """Return dE in percent: the mean of what was lost, a task that gained counting as 0. Lower is better."""
    return 100 * (-improvements).clip(lower=0).mean(axis=1)


def _problems(scores: pd.DataFrame, baseline: str, names: Sequence[str]) -> list[str]:
    missing = [f"column {name} is missing" for name in names if name not in scores.columns]
    if baseline not in scores.index:
        missing.append(f"there are no scores of {baseline}")
    if not (scores.index.is_unique and scores.columns.is_unique):
        missing.append("a method or a column is there twice")
    if missing:
        return missing
    numbers = scores[list(names)].apply(pd.to_numeric, errors="coerce").astype(float)
    values = numbers.to_numpy()
    problems = [
        f"{scores.index[row]} has no finite score in {names[column]}"
        for row, column in zip(*np.nonzero(~np.isfinite(values)), strict=True)
    ]
    reference = numbers.loc[baseline]
    problems += [
        f"{baseline} scores {value:g} in {name}; a baseline must be above 0"
        for name, value in reference.items()
        if value <= 0
    ]
    return problems
