"""Weights against the papers' printed ones, a second implementation written with loops, and laws they must obey."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.helpers.paths import FIXTURES
from visatb.balancing import equations
from visatb.balancing.balance import Balance, balance
from visatb.balancing.design import Design
from visatb.balancing.equations import Measures
from visatb.config.balancing import AlphaConfig, BalanceSettings
from visatb.scores.columns import Column

TABLES = FIXTURES / "paper_tables"
LAMBDAS = ["lambda_out", "lambda_in", "lambda_D"]
steady = settings(deadline=None)
"""A busy machine is no failure."""


def authors_measures() -> Measures:
    """The authors' C_out, C_in and D of LLaVA-1.5-7B; they published no C."""
    inputs = pd.read_csv(TABLES / "official_weighting_visatb_inputs.csv")
    C_out, C_in = inputs["C_out"].to_numpy(), inputs["C_in"].to_numpy()
    return Measures(np.eye(len(inputs)), C_out, C_in, 1 - inputs["ratio_mini_over_full"].to_numpy())


def test_table5_follows_from_the_authors_inputs() -> None:
    printed = pd.read_csv(TABLES / "table5_weights.csv", index_col="weight")
    computed = np.stack(equations.weigh(authors_measures(), (0.25, 0.25, 0.5), 0.5))
    np.testing.assert_allclose(computed, printed.to_numpy(), atol=0.6e-4, rtol=0)


@pytest.mark.parametrize("table", ["table2_weights", "table5_weights"])
def test_printed_final_weights_follow_from_their_parts(table: str) -> None:
    printed = pd.read_csv(TABLES / f"{table}.csv", index_col="weight")
    # A logarithm undoes the softmax up to a constant, which the softmax does not see.
    C_out, C_in, D = np.log(printed.loc[LAMBDAS].to_numpy()) * [[1.0], [-1.0], [1.0]]
    weights = equations.weigh(Measures(np.eye(D.size), C_out, C_in, D), (0.25, 0.25, 0.5), 1.0)
    np.testing.assert_allclose(weights.total, printed.loc["lambda_VisATB"], atol=1e-4, rtol=0)


def test_automatic_temperature_is_the_papers_for_its_academic_benchmark() -> None:
    assert equations.lowest_temperature(authors_measures(), (0.25, 0.25, 0.5)) == 0.5


def tasks_of(count: int) -> list[Column]:
    return [Column(f"t{number}", "score") for number in range(count)]


def matrix_of(values: np.ndarray, columns: list[str], groups: list[str] | None = None) -> pd.DataFrame:
    runs = ["mini", *(f"plus-{group}" for group in groups or columns)]
    return pd.DataFrame(values, index=runs, columns=columns)


@st.composite
def learned(draw: st.DrawFn, least: int = 2, most: int = 5) -> pd.DataFrame:
    """A validation matrix in which every task learned something."""
    count = draw(st.integers(least, most))
    mini = draw(arrays(np.float64, count, elements=st.floats(0.1, 0.6)))
    change = draw(arrays(np.float64, (count, count), elements=st.floats(-0.05, 0.4)))
    gap = draw(arrays(np.float64, count, elements=st.floats(0.05, 0.4)))
    np.fill_diagonal(change, gap)
    return matrix_of(np.vstack([mini, mini + change]), [column.task for column in tasks_of(count)])


def by_loops(matrix: pd.DataFrame, groups: dict[str, list[str]], T: float) -> dict[str, dict[str, float]]:
    """Eq. 3-8 for one metric a task, written as the paper writes them."""

    def contribution(g: str, h: str) -> float:
        total = 0.0
        for j in groups[h]:
            mini = matrix.loc["mini", j]
            total += (matrix.loc[f"plus-{g}", j] - mini) / (matrix.loc[f"plus-{h}", j] - mini)
        return total / len(groups[h])

    def softmax(values: dict[str, float]) -> dict[str, float]:
        total = sum(math.exp(value / T) for value in values.values())
        return {name: len(values) * math.exp(value / T) / total for name, value in values.items()}

    C_out, C_in, D = {}, {}, {}
    for g in groups:
        C_out[g] = sum(contribution(g, h) for h in groups if h != g) / (len(groups) - 1)
        C_in[g] = sum(contribution(h, g) for h in groups if h != g) / (len(groups) - 1)
        D[g] = sum(1 - matrix.loc["mini", j] / matrix.loc[f"plus-{g}", j] for j in groups[g]) / len(groups[g])
    out, inward, hard = softmax(C_out), softmax({g: -value for g, value in C_in.items()}), softmax(D)
    weights = {g: 0.25 * out[g] + 0.25 * inward[g] + 0.5 * hard[g] for g in groups}
    return {"C_out": C_out, "C_in": C_in, "D": D, "weights": weights}


@steady
@given(learned(), st.sampled_from([0.5, 1.0, 2.0]))
def test_agrees_with_loops(matrix: pd.DataFrame, T: float) -> None:
    expected = by_loops(matrix, {task: [task] for task in matrix}, T)
    result = balance(matrix, Design.ungrouped(tasks_of(matrix.shape[1]), BalanceSettings(temperature=T)))
    for name, values in expected.items():
        assert getattr(result, name).to_dict() == pytest.approx(values), name


@steady
@given(learned(least=4, most=4), st.floats(0.5, 2.0))
def test_groups_agree_with_loops(matrix: pd.DataFrame, T: float) -> None:
    groups = {"a": ["t0", "t2"], "b": ["t1"], "c": ["t3"]}
    grouped = matrix.loc[["mini", "plus-t0", "plus-t1", "plus-t3"]]
    grouped = grouped.set_axis(["mini", "plus-a", "plus-b", "plus-c"]).copy()
    grouped.loc["plus-a", "t2"] = matrix.loc["plus-t2", "t2"]
    expected = by_loops(grouped, groups, T)
    result = balance(grouped, Design(tasks_of(4), groups, BalanceSettings(temperature=T)))
    for name, values in expected.items():
        assert getattr(result, name).to_dict() == pytest.approx(values), name


@steady
@given(learned(), st.sampled_from(["auto", 0.25, 1.0]))
def test_weights_sum_to_the_number_of_groups_and_contributions_balance(matrix: pd.DataFrame, T: float) -> None:
    count = matrix.shape[1]
    result = balance(matrix, Design.ungrouped(tasks_of(count), BalanceSettings(temperature=T)))
    for weights in (result.lambda_out, result.lambda_in, result.lambda_D, result.weights):
        assert weights.sum() == pytest.approx(count)
    assert result.C_out.mean() == pytest.approx(result.C_in.mean())
    assert np.diag(result.C).tolist() == [1.0] * count


@steady
@given(learned(), st.floats(0.01, 100), st.floats(-5, 5), st.integers(0, 1))
def test_contributions_have_no_unit_and_no_origin(
    matrix: pd.DataFrame, factor: float, shift: float, column: int
) -> None:
    columns = tasks_of(matrix.shape[1])
    only_C = BalanceSettings(temperature=1.0, alpha=AlphaConfig.of(0.5, 0.5, 0))
    before = balance(matrix, Design.ungrouped(columns, only_C))
    moved = matrix.copy()
    moved.iloc[:, column] = factor * matrix.iloc[:, column] + abs(shift)
    after = balance(moved, Design.ungrouped(columns, only_C))
    np.testing.assert_allclose(after.C, before.C, atol=1e-6)
    np.testing.assert_allclose(after.weights, before.weights, atol=1e-6)


@steady
@given(learned(), st.floats(0.01, 100), st.integers(0, 1))
def test_difficulty_has_no_unit(matrix: pd.DataFrame, factor: float, column: int) -> None:
    columns = tasks_of(matrix.shape[1])
    scaled = matrix.copy()
    scaled.iloc[:, column] *= factor
    before, after = balance(matrix, Design.ungrouped(columns)), balance(scaled, Design.ungrouped(columns))
    np.testing.assert_allclose(after.D, before.D, atol=1e-9)
    np.testing.assert_allclose(after.weights, before.weights, atol=1e-6)


@steady
@given(learned(), st.randoms())
def test_the_order_of_tasks_runs_and_columns_does_not_matter(matrix: pd.DataFrame, random: object) -> None:
    columns = tasks_of(matrix.shape[1])
    before = balance(matrix, Design.ungrouped(columns))
    shuffled = columns.copy()
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    after = balance(matrix.iloc[::-1, ::-1], Design.ungrouped(shuffled))
    assert after.weights.index.tolist() == [column.task for column in shuffled]
    assert after.temperature == before.temperature
    np.testing.assert_allclose(after.weights[before.weights.index], before.weights)
    np.testing.assert_allclose(after.C.loc[before.C.index, before.C.columns], before.C)


@steady
@given(learned())
def test_groups_of_one_task_are_no_groups(matrix: pd.DataFrame) -> None:
    columns = tasks_of(matrix.shape[1])
    groups = {f"group of {column.task}": [column.task] for column in columns}
    grouped = matrix.set_axis(["mini", *(f"plus-{group}" for group in groups)])
    np.testing.assert_array_equal(
        balance(grouped, Design(columns, groups)).weights, balance(matrix, Design.ungrouped(columns)).weights
    )


ANY_SCORE = st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(-1, 1), st.sampled_from([0.0, 1.0]))


def numbers_of(result: Balance) -> np.ndarray:
    series = [result.C_out, result.C_in, result.D, result.lambda_out, result.lambda_in, result.lambda_D, result.weights]
    return np.concatenate([result.C.to_numpy().ravel(), *series, [result.temperature]])


@settings(max_examples=300, deadline=None)
@given(
    st.integers(2, 4).flatmap(lambda n: arrays(np.float64, (n + 1, n), elements=ANY_SCORE)),
    st.sampled_from(["drop", "clip"]),
    st.booleans(),
    st.sampled_from(["auto", 0.01, 1.0]),
)
def test_no_finite_scores_ever_give_nan_or_infinity(values: np.ndarray, policy: str, higher: bool, T: float) -> None:
    count = values.shape[1]
    columns = [Column(f"t{number}", "score", higher) for number in range(count)]
    matrix = matrix_of(values, [column.task for column in columns])
    sign = 1 if higher else -1
    with np.errstate(over="ignore"):
        gaps = sign * (np.diag(values[1:]) - values[0])
        divisors = np.diag(values[1:]) if higher else values[0]
    sound = (gaps > 1e-6 * np.abs(values).max(axis=0)) & (divisors > 1e-6 * np.abs(values).max(axis=0))
    assume(policy == "clip" or sound.any())
    result = balance(matrix, Design.ungrouped(columns, BalanceSettings(temperature=T, on_unlearned=policy)))
    assert np.isfinite(numbers_of(result)).all()
    assert result.weights.sum() == pytest.approx(count)
    named = {unlearned.column for unlearned in result.unlearned}
    assert named >= {column.task for column, gap in zip(columns, gaps, strict=True) if gap <= 0}
    assert named.isdisjoint(column.task for column, fine in zip(columns, sound, strict=True) if fine)


def test_temperatures_are_the_lowest_of_the_grid_that_keep_weights_in_range() -> None:
    columns = tasks_of(5)
    values = np.full((6, 5), 0.5)
    values[:, 0] = 0.1
    values[1:] += np.diag([0.8, 0.1, 0.1, 0.2, 0.2])
    matrix = matrix_of(values, [column.task for column in columns])
    chosen = balance(matrix, Design.ungrouped(columns))
    fixed = {
        T: balance(matrix, Design.ungrouped(columns, BalanceSettings(temperature=T))) for T in equations.TEMPERATURES
    }
    fitting = [T for T, one in fixed.items() if one.weights.between(0.5, 2.0).all()]
    assert chosen.temperature == min(fitting)
    assert 2**-6 < chosen.temperature < 2
    pd.testing.assert_series_equal(chosen.weights, fixed[chosen.temperature].weights)


def test_a_temperature_that_cannot_be_found_is_said() -> None:
    values = np.full((5, 4), 0.5)
    values[1:] += 0.1 * np.eye(4)
    values[1, 1:] = 5.0
    columns = tasks_of(4)
    result = balance(matrix_of(values, [column.task for column in columns]), Design.ungrouped(columns))
    assert result.temperature == 2
    assert not result.weights.between(0.5, 2.0).all()
    assert "no temperature up to 2 " in result.notes[0]


def test_two_groups_that_every_temperature_suits_are_said() -> None:
    matrix = matrix_of(np.array([[0.5, 0.5], [0.7, 0.5], [0.5, 0.6]]), ["t0", "t1"])
    result = balance(matrix, Design.ungrouped(tasks_of(2)))
    assert result.temperature == 2**-6
    assert "no temperature down to" in result.notes[0]
