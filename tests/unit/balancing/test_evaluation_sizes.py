"""Planned evaluation: the order of samples, the allocation, and what a pilot says against what then comes out."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from visatb.balancing.balance import balance
from visatb.balancing.bootstrap import replicate
from visatb.balancing.design import Design
from visatb.balancing.evaluation_sizes import MARGIN, Z95, allocation, evaluation_sizes
from visatb.balancing.gaps import gap_standard_errors
from visatb.config.balancing import BalanceSettings
from visatb.data.order import answering_order
from visatb.scores.columns import Column
from visatb.scores.paired import PairedSamples

TASKS = ["a", "b", "c"]
COLUMNS = [Column(task, "em") for task in TASKS]
GROUPS = {task: [task] for task in TASKS}
RUNS = ("mini", "plus-a", "plus-b", "plus-c")
T1 = BalanceSettings(temperature=1.0)
DESIGN = Design(COLUMNS, GROUPS, T1)
ACCURACY = {"a": [0.3, 0.6, 0.4, 0.35], "b": [0.4, 0.5, 0.7, 0.4], "c": [0.2, 0.3, 0.2, 0.7]}


def answered(task: str, accuracy: list[float], count: int, seed: int) -> PairedSamples:
    difficulty = np.random.default_rng(seed).uniform(size=count)
    right = (difficulty < np.array(accuracy)[:, None]).astype(float)
    return PairedSamples(task, RUNS, right, np.ones_like(right), [f"{task}-{number}" for number in range(count)])


def first(one: PairedSamples, count: int) -> PairedSamples:
    return PairedSamples(
        one.column, one.runs, one.numerators[:, :count], one.denominators[:, :count], list(one.images)[:count]
    )


def samples_of(count: int, seed: int = 0) -> list[PairedSamples]:
    return [answered(task, ACCURACY[task], count, 10 * seed + place) for place, task in enumerate(TASKS)]


def test_images_stay_together_and_the_order_is_fixed() -> None:
    images = ["x", None, "y", "x", None, "z", "y", "x"]
    order = answering_order(images, "vqa", 3)
    assert sorted(order) == list(range(8))
    assert (order == answering_order(images, "vqa", 3)).all()
    names = [images[place] or f"alone {place}" for place in order]
    assert sum(one != other for one, other in pairwise(names)) == len(set(names)) - 1
    assert any((order != answering_order(images, "vqa", seed)).any() for seed in range(4, 8))
    assert any((order != answering_order(images, task, 3)).any() for task in "abcd")


def test_every_image_is_as_likely_to_come_first() -> None:
    heads = [answering_order([f"{place}" for place in range(5)], "t", seed)[0] for seed in range(1000)]
    assert np.bincount(heads, minlength=5).min() > 150


variances = arrays(np.float64, (3, 5), elements=st.floats(0.01, 50))
limits = arrays(np.float64, 5, elements=st.floats(50, 1e5))


@settings(deadline=None)
@given(variances, limits, st.floats(0.02, 1))
def test_an_allocation_keeps_the_precision_or_takes_all(v: np.ndarray, most: np.ndarray, precision: float) -> None:
    found = allocation(v, most, np.zeros(5, dtype=bool), precision)
    assert ((found > 0) & (found <= most * (1 + 1e-9))).all()
    width = Z95 * np.sqrt((v / found).sum(axis=1).max() * MARGIN)
    assert width <= precision * (1 + 1e-9) or (found == most).all()


@settings(deadline=None)
@given(variances, st.floats(0.02, 1), arrays(np.float64, 5, elements=st.floats(0.5, 2)))
def test_no_other_allocation_is_cheaper(v: np.ndarray, precision: float, factors: np.ndarray) -> None:
    """Any other proportion of sizes, made just large enough for the conditions, costs as much or more."""
    found = allocation(v, np.full(5, 1e12), np.zeros(5, dtype=bool), precision)
    other = found * factors
    other *= (v / other).sum(axis=1).max() / (v / found).sum(axis=1).max()
    assert other.sum() >= found.sum() * (1 - 1e-3)


def test_one_condition_gives_neymans_proportions() -> None:
    v = np.array([[1.0, 4.0, 9.0]])
    found = allocation(v, np.full(3, 1e12), np.zeros(3, dtype=bool), 0.1)
    np.testing.assert_allclose(found / found[0], [1, 2, 3])
    assert Z95 * np.sqrt((v / found).sum() * MARGIN) == pytest.approx(0.1)


def test_a_whole_task_leaves_the_rest_what_remains() -> None:
    v, most = np.array([[1.0, 1.0]]), np.array([1e3, 1e9])
    found = allocation(v, most, np.array([True, False]), 0.2)
    assert found[0] == 1e3
    assert 1 / found[1] == pytest.approx((0.2 / Z95) ** 2 / MARGIN - 1e-3)


def test_planned_sizes_make_weights_as_sure_as_was_asked() -> None:
    """The bootstrap, which the plan does not use, measures what comes out; the plan's margin makes it narrower."""
    widths = []
    for seed in range(6):
        whole = samples_of(20_000, seed)
        totals = dict.fromkeys(TASKS, 20_000)
        plan = evaluation_sizes([first(one, 800) for one in whole], DESIGN, totals, 0.015)
        assert (plan["reason"] == "precision").all()
        sizes = plan.set_index("task")["samples"]
        answered_samples = [first(one, int(sizes[one.column])) for one in whole]
        matrix = pd.DataFrame({one.column: one.scores() for one in answered_samples}, index=RUNS)
        errors = gap_standard_errors(answered_samples, DESIGN)
        point = balance(matrix, DESIGN, errors)
        low, high = np.percentile(replicate(point, answered_samples, 800).weights.total, (2.5, 97.5), axis=0)
        widths.append(((high - low) / 2).max())
    assert max(widths) < 0.0165
    assert np.mean(widths) > 0.009, "and no more is answered than it takes"


def test_precision_out_of_reach_takes_whole_splits_and_easy_ones_the_pilot() -> None:
    pilot, totals = samples_of(300), dict.fromkeys(TASKS, 1000)
    none = evaluation_sizes(pilot, DESIGN, totals, 0.001)
    assert (none["samples"] == 1000).all()
    assert (none["reason"] == "whole split").all()
    easy = evaluation_sizes(pilot, DESIGN, totals, 1.0)
    assert (easy["samples"] == 300).all()
    assert (easy["reason"] == "pilot").all()
    rounded = evaluation_sizes(pilot, DESIGN, totals, 1.0, round_to=256)
    assert (rounded["samples"] == 512).all()


def test_a_column_that_is_ill_posed_in_the_pilot_is_answered_whole() -> None:
    pilot = samples_of(400)
    pilot[2] = answered("c", [0.5, 0.6, 0.5, 0.5], 400, 2)
    plan = evaluation_sizes(pilot, DESIGN, dict.fromkeys(TASKS, 5000), 0.2).set_index("task")
    assert plan.loc["c", "samples"] == 5000
    assert plan.loc["c", "reason"] == "whole split"
    assert plan.loc["a", "samples"] < 5000


@pytest.mark.parametrize("name", ["apple-seeds", "x-seed1", "mini"])
def test_tasks_may_have_any_name(name: str) -> None:
    """Sizes do not depend on what a task is called, though names of runs hold those of tasks."""
    called = {"a": name, "b": "b", "c": "c"}
    pilot = [
        replace(one, column=called[one.column], runs=("mini", *(f"plus-{task}" for task in called.values())))
        for one in samples_of(300)
    ]
    design = Design.ungrouped([Column(task, "em") for task in called.values()], T1)
    sizes = evaluation_sizes(pilot, design, dict.fromkeys(called.values(), 10_000), 0.1)
    plain = evaluation_sizes(samples_of(300), DESIGN, dict.fromkeys(TASKS, 10_000), 0.1)
    pd.testing.assert_frame_equal(sizes.drop(columns="task"), plain.drop(columns="task"))
