"""From a validation matrix to task weights: Eq. 3-8, their forms 10-12, and what is done where they fail.

Ill-posed columns. Eq. 3 divides by what the column's own group gained, V_j(j+mini) - V_j(mini). Where that is
not above 0, or not above two of its standard errors, nothing was learned that could be divided by; where the
denominator of D is not above 0, D means nothing. ``on_unlearned`` says what then happens to the column:

- ``drop``: it leaves every average, of C and of D. A group without any other column takes the mean of the
  other groups' C_in and D; that C_in stands in its column of C.
- ``clip``: it stays, divided by the largest change that any run made in it, or by two standard errors if that
  is more. Its C are then in [-1, 1] and its D in [0, 1].
- ``error``: all such columns are named and nothing is computed.

Metrics that are better lower. Eq. 3 is a ratio of two differences, so negating such a metric leaves C as it
is. Eq. 6 is a ratio of two scores, and negating both would change nothing: errors of 4 (mini) and 1 (large)
would give D = 1 - 4/1 = -3, the easiest task of all. So the ratio is turned over,
D = 1 - V(large)/V(mini) = 1 - 1/4, which is Eq. 6 for the score 1/error. D is then in [0, 1] as it is for
scores: 0 where the mini subset suffices, 1 where the large one removes every error. It means nothing where
V(mini) is not above 0.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from visatb.balancing import equations
from visatb.balancing.design import Design, Names
from visatb.balancing.equations import Layout, Measures, Screening
from visatb.balancing.matrix import array_of
from visatb.config.balancing import BalanceSettings
from visatb.errors import VisatbError, bullet_list
from visatb.runtime.arrays import Booleans, Floats

NOISE = 2.0
"""A gap is told from noise when it is more than this many of its standard errors."""


@dataclass(frozen=True)
class Unlearned:
    """An ill-posed column, in words for tables and reports."""

    column: str
    group: str
    fault: str
    done: str

    def __str__(self) -> str:
        return f"{self.column}: {self.fault}; {self.done}"


@dataclass(frozen=True)
class Balance:
    """Weights and all they follow from.

    Series are indexed by group; C has the contributing groups as rows and the receiving ones as columns.
    Every lambda sums to the number of groups. ``temperature`` is the number that was used. ``notes`` are
    words on anything that the settings did not foresee. ``design`` and ``screening`` are what a bootstrap
    needs to repeat the calculation on other scores (`visatb.scores.uncertainty`).
    """

    C: pd.DataFrame
    C_out: pd.Series
    C_in: pd.Series
    D: pd.Series
    lambda_out: pd.Series
    lambda_in: pd.Series
    lambda_D: pd.Series  # noqa: N815
    weights: pd.Series
    temperature: float
    unlearned: list[Unlearned]
    notes: list[str]
    design: Design
    screening: Screening

    @property
    def names(self) -> Names:
        """The names along the axes of its arrays."""
        return self.design.names

    @property
    def layout(self) -> Layout:
        """Which row and column of the matrix plays which part."""
        return self.design.layout

    @property
    def settings(self) -> BalanceSettings:
        """How it was made."""
        return self.design.settings


def balance(matrix: pd.DataFrame, design: Design, gap_standard_errors: pd.Series | None = None) -> Balance:
    """Compute contributions, difficulties and weights from validation scores.

    Args:
        matrix: scores as the metrics give them, indexed by run, one column a metric of a task;
            ``design.names`` says which of both. They may come in any order.
        design: columns, groups and settings.
        gap_standard_errors: by column name, the standard error of the *paired* difference
            V_j(j+mini) - V_j(mini) (`visatb.balancing.gaps.gap_standard_errors`); the errors of the two scores
            do not say it, for both runs answered the same samples.

    Raises:
        VisatbError: for names or scores that do not fit, for ill-posed columns under
            ``on_unlearned: error``, and when no column is left.
    """
    values = array_of(matrix, design.names)
    noise = NOISE * _errors_of_gaps(gap_standard_errors, design.names)
    screening, unlearned = _screen(values, noise, design)
    measures = equations.measure(values, design.layout, screening)
    return _weighed(measures, design, screening, unlearned)


def reweighed(point: Balance, measures: Measures) -> Balance:
    """Return a balance with other ``measures`` of the same groups, and the temperature and weights that follow."""
    return _weighed(measures, point.design, point.screening, point.unlearned)


def _weighed(measures: Measures, design: Design, screening: Screening, unlearned: list[Unlearned]) -> Balance:
    temperature, notes = _temperature(measures, design.settings)
    weights = equations.weigh(measures, design.settings.alphas, temperature)
    groups = list(design.names.groups)

    def by_group(numbers: Floats) -> pd.Series:
        return pd.Series(numbers, index=groups)

    return Balance(
        C=pd.DataFrame(measures.C, index=groups, columns=groups),
        C_out=by_group(measures.C_out),
        C_in=by_group(measures.C_in),
        D=by_group(measures.D),
        lambda_out=by_group(weights.outward),
        lambda_in=by_group(weights.inward),
        lambda_D=by_group(weights.difficulty),
        weights=by_group(weights.total),
        temperature=temperature,
        unlearned=unlearned,
        notes=notes,
        design=design,
        screening=screening,
    )


def _errors_of_gaps(errors: pd.Series | None, names: Names) -> Floats:
    if errors is None:
        return np.zeros(len(names.columns))
    missing = [name for name in names.columns if name not in errors.index]
    if missing:
        raise VisatbError(f"gap standard errors are missing for the columns {', '.join(missing)}")
    values: Floats = errors.loc[list(names.columns)].to_numpy(dtype=np.float64)
    wrong = [f"{n} ({v:g})" for n, v in zip(names.columns, values, strict=True) if not 0 <= v < np.inf]
    if wrong:
        raise VisatbError(f"gap standard errors must be finite and not negative, found {', '.join(wrong)}")
    return values


def _screen(values: Floats, noise: Floats, design: Design) -> tuple[Screening, list[Unlearned]]:
    names, layout, settings = design.names, design.layout, design.settings
    ill_posed = _ill_posed_columns(values, noise, names, layout)
    if ill_posed and settings.on_unlearned == "error":
        lines = [f"{names.columns[column]}: {words}" for column, words in ill_posed.items()]
        raise VisatbError(
            f"columns of the validation matrix from which nothing can be measured:\n{bullet_list(lines)}\n"
            "Give these tasks more validation samples or training data, or set on_unlearned to drop or clip."
        )
    ill = np.isin(np.arange(len(names.columns)), list(ill_posed))
    kept = np.ones_like(ill) if settings.on_unlearned == "clip" else ~ill
    if not kept.any():
        lines = [f"{names.columns[column]}: {words}" for column, words in ill_posed.items()]
        raise VisatbError(f"no column of the validation matrix can be used:\n{bullet_list(lines)}")
    groups = [names.groups[layout.group_of[column]] for column in ill_posed]
    unlearned = [
        Unlearned(names.columns[column], group, words, _done(group, kept, names, layout))
        for (column, words), group in zip(ill_posed.items(), groups, strict=True)
    ]
    return Screening(ill, kept, noise), unlearned


def _ill_posed_columns(values: Floats, noise: Floats, names: Names, layout: Layout) -> dict[int, str]:
    """Say for every ill-posed column what is wrong with it."""
    scale = equations.column_scale(values)
    gap = equations.changes(values / scale, layout)[1]
    ratio = equations.difficulty_ratio(values / scale, layout)[1]
    faults = {}
    for column in range(gap.size):
        own, unit = layout.trained[layout.group_of[column]], scale[0, column]
        better = "above" if layout.sign[column] > 0 else "below"
        scores = [f"V({names.runs[row]}) = {values[row, column]:.6g}" for row in (own, layout.baseline)]
        if gap[column] <= equations.ROUNDING:
            faults[column] = f"{scores[0]} is not {better} {scores[1]}"
        elif gap[column] <= noise[column] / unit:
            limit = f"{NOISE:g} standard errors of their difference = {noise[column]:.6g}"
            faults[column] = f"{scores[0]} is {better} {scores[1]} by no more than its noise ({limit})"
        elif ratio[column] <= equations.ROUNDING:
            row = (layout.full if layout.sign[column] > 0 else layout.small)[column]
            faults[column] = f"V({names.runs[row]}) = {values[row, column]:.6g} is not above 0, so D is undefined"
    return faults


def _done(group: str, kept: Booleans, names: Names, layout: Layout) -> str:
    if kept.all():
        return "its contributions are limited to [-1, 1] and its difficulty to [0, 1]"
    left_out = "the column is left out of every average"
    if kept[layout.group_of == names.groups.index(group)].any():
        return left_out
    return f"{left_out}, and {group} takes the mean C_in and the mean D of the other groups"


def _temperature(measures: Measures, settings: BalanceSettings) -> tuple[float, list[str]]:
    if settings.temperature != "auto":
        return float(settings.temperature), []
    chosen = equations.lowest_temperature(measures, settings.alphas)
    lowest, highest = min(equations.TEMPERATURES), max(equations.TEMPERATURES)
    low, high = equations.WEIGHT_RANGE
    if chosen == lowest:
        return chosen, [
            f"no temperature down to {lowest:g} takes a weight out of [{low:g}, {high:g}], so {lowest:g} was used; "
            "with two or three groups this is common, and a temperature of 0.5 or 1 is safer"
        ]
    if chosen is not None:
        return chosen, []
    return highest, [f"no temperature up to {highest:g} keeps every weight in [{low:g}, {high:g}]; it was used"]
