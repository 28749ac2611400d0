"""What balancing does with columns that cannot be measured, with several metrics, other forms, and wrong input."""

import numpy as np
import pandas as pd
import pytest

from visatb.balancing.balance import balance
from visatb.balancing.design import Design
from visatb.config.balancing import AlphaConfig, BalanceSettings
from visatb.errors import VisatbError
from visatb.scores.columns import Column, column_names

TASKS = ["a", "b", "c", "d"]
COLUMNS = [Column(task, "em") for task in TASKS]
T1 = BalanceSettings(temperature=1.0)
CLIP = BalanceSettings(temperature=1.0, on_unlearned="clip")


def well_posed() -> pd.DataFrame:
    values = [
        [0.40, 0.50, 0.30, 0.20],
        [0.60, 0.55, 0.30, 0.30],
        [0.45, 0.60, 0.35, 0.20],
        [0.40, 0.50, 0.50, 0.25],
        [0.50, 0.45, 0.32, 0.60],
    ]
    return pd.DataFrame(values, index=["mini", *(f"plus-{task}" for task in TASKS)], columns=TASKS)


def without_learning_d() -> pd.DataFrame:
    matrix = well_posed()
    matrix.loc["plus-d", "d"] = 0.15
    return matrix


def test_a_dropped_column_leaves_every_average() -> None:
    result = balance(without_learning_d(), Design.ungrouped(COLUMNS, T1))
    # What the three other columns give on their own, by hand.
    assert result.C_out.to_dict() == pytest.approx(
        {"a": (0.5 + 0) / 2, "b": (0.25 + 0.25) / 2, "c": 0.0, "d": (0.5 - 0.5 + 0.1) / 3}
    )
    C_in = {"a": (0.25 + 0 + 0.5) / 3, "b": (0.5 + 0 - 0.5) / 3, "c": (0 + 0.25 + 0.1) / 3}
    D = {"a": 1 - 0.4 / 0.6, "b": 1 - 0.5 / 0.6, "c": 1 - 0.3 / 0.5}
    assert result.C_in.to_dict() == pytest.approx(C_in | {"d": sum(C_in.values()) / 3})
    assert result.D.to_dict() == pytest.approx(D | {"d": sum(D.values()) / 3})
    assert result.C["d"].drop("d").to_list() == pytest.approx([sum(C_in.values()) / 3] * 3)
    [unlearned] = result.unlearned
    assert unlearned.column == unlearned.group == "d"
    assert unlearned.fault == "V(plus-d) = 0.15 is not above V(mini) = 0.2"
    assert "d takes the mean C_in and the mean D of the other groups" in unlearned.done


def test_a_dropped_column_of_a_larger_group_leaves_the_group_to_the_others() -> None:
    groups = {"a": ["a"], "b": ["b"], "cd": ["c", "d"]}
    matrix = without_learning_d().drop(index="plus-d").rename(index={"plus-c": "plus-cd"})
    matrix.loc["plus-cd", "d"] = 0.1
    result = balance(matrix, Design(COLUMNS, groups, T1))
    alone = balance(matrix[["a", "b", "c"]], Design(COLUMNS[:3], {"a": ["a"], "b": ["b"], "cd": ["c"]}, T1))
    pd.testing.assert_series_equal(result.weights, alone.weights)
    assert result.unlearned[0].group == "cd"
    assert result.unlearned[0].done == "the column is left out of every average"


def test_one_group_left_still_gives_weights() -> None:
    matrix = pd.DataFrame([[0.4, 0.5], [0.6, 0.5], [0.5, 0.4]], index=["mini", "plus-a", "plus-b"], columns=["a", "b"])
    result = balance(matrix, Design.ungrouped(COLUMNS[:2], T1))
    assert result.weights.to_dict() == pytest.approx({"a": 1.0, "b": 1.0})


def test_clipping_limits_an_ill_posed_column_and_no_other() -> None:
    result = balance(without_learning_d(), Design.ungrouped(COLUMNS, CLIP))
    # The largest change in column d is plus-a's 0.1, so that is what its denominator becomes.
    assert result.C["d"].to_list() == pytest.approx([1.0, 0.0, 0.5, 1.0])
    assert result.D["d"] == 0.0
    untouched = balance(well_posed(), Design.ungrouped(COLUMNS, T1))
    pd.testing.assert_frame_equal(result.C[TASKS[:3]], untouched.C[TASKS[:3]])
    assert "limited to [-1, 1]" in result.unlearned[0].done


def test_clipping_divides_by_the_noise_where_that_is_larger() -> None:
    errors = pd.Series({"a": 0.01, "b": 0.01, "c": 0.01, "d": 0.5})
    result = balance(without_learning_d(), Design.ungrouped(COLUMNS, CLIP), errors)
    assert result.C["d"].to_list() == pytest.approx([0.1, 0.0, 0.05, 1.0])


def test_a_gap_within_two_standard_errors_is_not_learning() -> None:
    # The gap of d is 0.4.
    def noise_of_d(error: float) -> pd.Series:
        return pd.Series({"a": 0.001, "b": 0.001, "c": 0.001, "d": error})

    assert not balance(well_posed(), Design.ungrouped(COLUMNS, T1), noise_of_d(0.199)).unlearned
    result = balance(well_posed(), Design.ungrouped(COLUMNS, T1), noise_of_d(0.201))
    assert [unlearned.column for unlearned in result.unlearned] == ["d"]
    assert "by no more than its noise (2 standard errors of their difference = 0.402)" in result.unlearned[0].fault


def test_policy_error_names_every_column() -> None:
    matrix = without_learning_d()
    matrix.loc["plus-a", "a"] = 0.4
    with pytest.raises(VisatbError) as error:
        balance(matrix, Design.ungrouped(COLUMNS, BalanceSettings(on_unlearned="error")))
    assert "a: V(plus-a) = 0.4 is not above V(mini) = 0.4" in str(error.value)
    assert "d: V(plus-d)" in str(error.value)
    assert "b: " not in str(error.value)


def test_no_column_left_is_an_error() -> None:
    with pytest.raises(VisatbError, match="no column of the validation matrix can be used"):
        balance(well_posed() * 0, Design.ungrouped(COLUMNS, T1))


def test_scores_below_zero_make_the_difficulty_undefined() -> None:
    matrix = well_posed()
    matrix["d"] -= 1
    result = balance(matrix, Design.ungrouped(COLUMNS, T1))
    assert result.unlearned[0].fault == "V(plus-d) = -0.4 is not above 0, so D is undefined"
    clipped = balance(matrix, Design.ungrouped(COLUMNS, CLIP))
    assert clipped.D["d"] == 1.0


def test_lower_is_better_contributes_alike_and_is_difficult_where_error_remains() -> None:
    columns = [*COLUMNS[:3], Column("d", "wer", higher_is_better=False)]
    matrix = well_posed()
    matrix["d"] = [4.0, 3.0, 4.0, 4.5, 1.0]
    result = balance(matrix, Design.ungrouped(columns, T1))
    assert result.C["d"].to_list() == pytest.approx([1 / 3, 0.0, -0.5 / 3, 1.0])
    assert result.D["d"] == pytest.approx(1 - 1 / 4)
    reciprocal = matrix.assign(d=1 / matrix["d"])
    assert balance(reciprocal, Design.ungrouped(COLUMNS, T1)).D["d"] == pytest.approx(result.D["d"])
    easy = matrix.assign(d=[4.0, 4.0, 4.0, 4.0, 3.9])
    assert 0 < balance(easy, Design.ungrouped(columns, T1)).D["d"] < 0.05
    worse = matrix.assign(d=[4.0, 3.0, 4.0, 4.5, 5.0])
    assert balance(worse, Design.ungrouped(columns, T1)).unlearned[0].fault == "V(plus-d) = 5 is not below V(mini) = 4"


def test_metrics_are_averaged_within_a_task_and_tasks_within_a_group() -> None:
    columns = [Column("a", "x"), Column("a", "y"), Column("b", "em"), Column("c", "em")]
    assert column_names(columns) == ["a:x", "a:y", "b", "c"]
    matrix = well_posed().set_axis(column_names(columns), axis=1)
    groups = {"ab": ["a", "b"], "c": ["c"]}
    matrix = matrix.loc[["mini", "plus-d", "plus-b"]].set_axis(["mini", "plus-ab", "plus-c"])
    matrix.loc["plus-ab"] = [0.6, 0.9, 0.7, 0.25]
    matrix.loc["plus-c"] = [0.5, 0.6, 0.4, 0.6]
    result = balance(matrix, Design(columns, groups, T1))
    a, b = (0.1 / 0.2 + 0.1 / 0.4) / 2, 0.1 / 0.4
    assert result.C.loc["c", "ab"] == pytest.approx((a + b) / 2)
    D_a = ((1 - 0.4 / 0.6) + (1 - 0.5 / 0.9)) / 2
    assert result.D["ab"] == pytest.approx((D_a + (1 - 0.3 / 0.7)) / 2)


def test_precise_difficulty_takes_runs_of_the_task_alone() -> None:
    precise = BalanceSettings(temperature=1.0, difficulty="precise")
    alone = pd.DataFrame(np.nan, index=[f"{s}-only-{t}" for t in TASKS for s in ("mini", "large")], columns=TASKS)
    for number, task in enumerate(TASKS):
        alone.loc[f"mini-only-{task}", task] = 0.1 * (number + 1)
        alone.loc[f"large-only-{task}", task] = 0.8
    result = balance(pd.concat([alone, well_posed()]), Design.ungrouped(COLUMNS, precise))
    assert result.D.to_list() == pytest.approx([1 - 0.1 * number / 0.8 for number in (1, 2, 3, 4)])
    pd.testing.assert_frame_equal(result.C, balance(well_posed(), Design.ungrouped(COLUMNS, T1)).C)
    with pytest.raises(VisatbError, match="run mini-only-a is missing"):
        balance(well_posed(), Design.ungrouped(COLUMNS, precise))


def test_simple_form_compares_single_tasks_with_the_base_model() -> None:
    simple = BalanceSettings(temperature=1.0, form="simple", difficulty="precise")
    matrix = pd.DataFrame(
        [[0.2, 0.4], [0.6, 0.5], [0.3, 0.8], [0.5, np.nan], [np.nan, 0.6]],
        index=["base", "single-a", "single-b", "mini-only-a", "mini-only-b"],
        columns=["a", "b"],
    )
    assert list(Design.ungrouped(COLUMNS[:2], simple).names.needs) == matrix.index.to_list()
    result = balance(matrix, Design.ungrouped(COLUMNS[:2], simple))
    assert result.C.to_numpy() == pytest.approx(np.array([[1, 0.1 / 0.4], [0.1 / 0.4, 1]]))
    assert result.D.to_list() == pytest.approx([1 - 0.5 / 0.6, 1 - 0.6 / 0.8])
    with pytest.raises(VisatbError, match="no run on a whole group"):
        balance(matrix, Design(COLUMNS[:3], {"x": ["a", "b"], "c": ["c"]}, simple))


def test_everything_wrong_with_a_matrix_is_said_at_once() -> None:
    matrix = well_posed().drop(index="plus-b").rename(index={"plus-c": "plus-e"}).rename(columns={"d": "dd"})
    matrix.loc["mini", "a"] = np.nan
    matrix.loc["plus-a", "b"] = np.inf
    with pytest.raises(VisatbError) as error:
        balance(matrix, Design.ungrouped(COLUMNS))
    for words in (
        "run plus-b is missing",
        "run plus-c is missing",
        "run plus-e is not expected",
        "column d is missing",
        "column dd is not expected",
        "run mini, column a: the score is nan",
        "run plus-a, column b: the score is inf",
    ):
        assert words in str(error.value)


def test_everything_wrong_with_groups_is_said_at_once() -> None:
    groups = {"x": ["a", "b", "f"], "y": ["b"], "z": []}
    with pytest.raises(VisatbError) as error:
        balance(well_posed(), Design([*COLUMNS, COLUMNS[0]], groups))
    for words in (
        "metric em of task a is declared 2 times",
        "task b is named 2 times",
        "task f has no validation column",
        "task c has a validation column but is in no group",
        "group z has no task",
    ):
        assert words in str(error.value)


def test_one_group_cannot_be_balanced() -> None:
    with pytest.raises(VisatbError, match="at least two groups of tasks, found 1"):
        balance(well_posed()[["a"]].iloc[:2], Design.ungrouped(COLUMNS[:1]))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"temperature": "hot"}, "temperature"),
        ({"alpha": {"out": -0.25, "in": 0.75}}, "greater than or equal to 0"),
        ({"on_unlearned": "ignore"}, "'drop', 'clip' or 'error'"),
        ({"seeds": 0}, "seeds"),
        ({"mini_seeds": -1}, "mini_seeds"),
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        BalanceSettings(**wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"alpha": AlphaConfig.of(0.5, 0.25, 0.5)}, "add up to 1"),
        ({"form": "simple", "difficulty": "repurposed"}, "precise"),
        ({"form": "simple", "seeds": 2}, "no mini and plus runs to repeat"),
        ({"form": "simple", "mini_seeds": 2}, "no mini and plus runs to repeat"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(wrong: dict[str, object], words: str) -> None:
    with pytest.raises(VisatbError, match=words):
        Design.ungrouped(COLUMNS, BalanceSettings(**wrong))  # type: ignore[arg-type]


@pytest.mark.parametrize(("errors", "words"), [({"a": 0.1}, "missing"), (dict.fromkeys(TASKS, -1.0), "not negative")])
def test_gap_standard_errors_that_do_not_fit_are_refused(errors: dict[str, float], words: str) -> None:
    with pytest.raises(VisatbError, match=words):
        balance(well_posed(), Design.ungrouped(COLUMNS), pd.Series(errors))
