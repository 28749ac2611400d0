"""TLA, RLW, DWA and IGBv1 against their definitions, written down once more over the whole history of losses."""

import json
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.methods import method_of
from visatb.errors import VisatbError
from visatb.training.loss.weighting import StepLoss, Vector, Weighting

TASKS = ("box", "chat", "ocr", "vqa")
GROUPS = {"reading": ("ocr", "vqa"), "box": ("box",)}
GIVEN = np.array([1.0, 0.4, 1.0, 1.0])
SHORT = {"dwa_window": 3, "igbv1_first_step": 2, "igbv1_last_step": 5}
ALONE = {task: (task,) for task in ("box", "ocr", "vqa")}
DYNAMIC = ("rlw", "dwa", "igbv1")

tokens = st.lists(st.integers(0, 4), min_size=4, max_size=4)
step_losses = st.tuples(st.lists(st.floats(0.01, 30), min_size=4, max_size=4), tokens).map(
    lambda pair: StepLoss(np.array(pair[0]) * pair[1], np.array(pair[1], dtype=float))
)
histories = st.lists(step_losses, min_size=1, max_size=14)
groupings = st.sampled_from([GROUPS, ALONE])


def method(name: str, groups: dict[str, tuple[str, ...]] = ALONE) -> Weighting:
    return method_of(name, groups, **SHORT).weighting(TASKS, GIVEN, seed=7)


def one_step(weighting: Weighting, step: int, losses: StepLoss) -> Vector:
    weighting.begin_step(step, losses if weighting.needs_losses(step) else None)
    weights = weighting.weights().copy()
    weighting.end_step(step, losses)
    return weights


def softmax(values: Sequence[float]) -> list[float]:
    exponentials = [math.exp(value) for value in values]
    return [len(values) * one / sum(exponentials) for one in exponentials]


def mean_losses(step: StepLoss, groups: dict[str, tuple[str, ...]]) -> list[float | None]:
    """Return each group's mean token loss in a step, None where it is absent."""
    means: list[float | None] = []
    for members in groups.values():
        places = [TASKS.index(task) for task in members]
        count = sum(step.tokens[place] for place in places)
        means.append(sum(step.nll[place] for place in places) / count if count else None)
    return means


def mean_of_seen(values: Sequence[float | None]) -> float | None:
    seen = [value for value in values if value is not None]
    return sum(seen) / len(seen) if seen else None


def dwa_by_definition(past: list[list[float | None]], window: int) -> list[float]:
    """Return lambda of the groups for the step after ``past`` [steps][groups]."""
    ratios: list[float] = []
    for column in zip(*past, strict=True):
        ratio = None
        for end in range(2 * window, len(column) + 1):  # the newest ratio that both windows give
            before = mean_of_seen(column[end - 2 * window : end - window])
            last = mean_of_seen(column[end - window : end])
            if before is not None and last is not None:
                ratio = last / before
        if ratio is None:
            return [1.0] * len(past[0])
        ratios.append(ratio)
    return softmax([ratio / 2 for ratio in ratios]) if ratios else []


def igbv1_by_definition(past: list[list[float | None]], now: list[float | None]) -> list[float]:
    ratios = []
    for *column, own in zip(*past, now, strict=True):
        if len(column) <= 5:
            return [1.0] * len(now)
        base = mean_of_seen(column[2:6]) or next((one for one in column[6:] if one is not None), None)
        if base is None:
            return [1.0] * len(now)
        ratios.append((own or [one for one in column if one is not None][-1]) / base)
    return softmax(ratios)


def of_tasks(lambdas: list[float], groups: dict[str, tuple[str, ...]]) -> list[float]:
    by_task = {task: value for members, value in zip(groups.values(), lambdas, strict=True) for task in members}
    return [by_task.get(task, 0.4) for task in TASKS]


@given(history=histories, groups=groupings)
def test_dwa_is_what_its_definition_says(history: list[StepLoss], groups: dict[str, tuple[str, ...]]) -> None:
    weighting, means = method("dwa", groups), [mean_losses(step, groups) for step in history]
    for number, step in enumerate(history):
        expected = dwa_by_definition(means[:number], 3) if number else [1.0] * len(groups)
        assert one_step(weighting, number, step) == pytest.approx(of_tasks(expected, groups), rel=1e-9)


@given(history=histories, groups=groupings)
def test_igbv1_is_what_its_definition_says(history: list[StepLoss], groups: dict[str, tuple[str, ...]]) -> None:
    weighting, means = method("igbv1", groups), [mean_losses(step, groups) for step in history]
    for number, step in enumerate(history):
        expected = igbv1_by_definition(means[:number], means[number])
        assert one_step(weighting, number, step) == pytest.approx(of_tasks(expected, groups), rel=1e-9)


@given(history=histories, name=st.sampled_from(DYNAMIC), groups=groupings)
def test_weights_are_positive_with_mean_one_and_fixed_tasks_keep_theirs(
    history: list[StepLoss], name: str, groups: dict[str, tuple[str, ...]]
) -> None:
    weighting = method(name, groups)
    for number, step in enumerate(history):
        weights = dict(zip(TASKS, one_step(weighting, number, step), strict=True))
        assert all(weight > 0 for weight in weights.values())
        assert sum(weights[members[0]] for members in groups.values()) == pytest.approx(len(groups))
        assert all(weights[task] == weights[members[0]] for members in groups.values() for task in members)
        assert weights["chat"] == 0.4


@given(history=histories, name=st.sampled_from(["tla", "dwa", "igbv1"]), order=st.permutations(range(4)))
def test_the_order_of_tasks_and_groups_does_not_matter(history: list[StepLoss], name: str, order: list[int]) -> None:
    straight = method(name)
    turned_tasks = [TASKS[place] for place in order]
    turned_groups = {task: (task,) for task in turned_tasks if task in ALONE}
    turned = method_of(name, turned_groups, **SHORT).weighting(turned_tasks, GIVEN[order], seed=7)
    for number, step in enumerate(history):
        one = one_step(straight, number, step)
        assert one_step(turned, number, StepLoss(step.nll[order], step.tokens[order])) == pytest.approx(one[order])
        assert turned.coefficients(step.tokens[order]) == pytest.approx(straight.coefficients(step.tokens)[order])


@given(history=histories, name=st.sampled_from(["tla", *DYNAMIC]), cut=st.integers(0, 13))
def test_a_state_that_went_through_json_goes_on_to_the_bit(history: list[StepLoss], name: str, cut: int) -> None:
    straight, first, second = method(name), method(name), method(name)
    expected = [one_step(straight, number, step) for number, step in enumerate(history)]
    for number, step in enumerate(history[:cut]):
        one_step(first, number, step)
    second.load_state_dict(json.loads(json.dumps(first.state_dict(), allow_nan=False)))
    for number, step in list(enumerate(history))[cut:]:
        assert np.array_equal(one_step(second, number, step), expected[number])


@given(step=step_losses, groups=groupings)
def test_tla_is_the_mean_of_the_means_of_those_present(step: StepLoss, groups: dict[str, tuple[str, ...]]) -> None:
    loss = float(method("tla", groups).coefficients(step.tokens) @ step.nll)
    shares = [(1.0, mean) for mean in mean_losses(step, groups) if mean is not None]
    if step.tokens[1]:
        shares.append((0.4, step.nll[1] / step.tokens[1]))
    total = sum(share for share, _ in shares)
    assert loss == pytest.approx(sum(share * mean for share, mean in shares) / total if shares else 0.0)


def test_rlw_draws_normal_logits_from_seed_and_step_alone() -> None:
    weighting, again = method("rlw"), method("rlw")
    nothing = StepLoss(np.zeros(4), np.zeros(4))
    drawn = np.array([one_step(weighting, step, nothing) for step in range(4000)])[:, [0, 2, 3]]
    assert np.array_equal(one_step(again, 3999, nothing)[[0, 2, 3]], drawn[-1])
    other_seed = method_of("rlw", ALONE).weighting(TASKS, GIVEN, seed=8)
    assert not np.array_equal(one_step(other_seed, 0, nothing)[[0, 2, 3]], drawn[0])
    differences = np.log(drawn[:, 0] / drawn[:, 1])  # of two standard normal numbers: variance 2
    assert differences.mean() == pytest.approx(0, abs=0.1)
    assert differences.var() == pytest.approx(2, rel=0.1)
    assert len(np.unique(drawn, axis=0)) == 4000


def test_igbv1_asks_for_a_steps_own_losses_only_once_its_base_is_measured() -> None:
    weighting = method("igbv1")
    seen = StepLoss(np.ones(4), np.ones(4))
    asked = []
    for step in range(9):
        asked.append(weighting.needs_losses(step))
        one_step(weighting, step, seen)
    assert asked == [False] * 6 + [True] * 3
    assert not any(method(name).needs_losses(1000) for name in ("tla", "rlw", "dwa"))


@pytest.mark.parametrize(("name", "steps"), [("dwa", 50), ("igbv1", 200)])
def test_by_default_weights_move_as_late_as_the_paper_says(name: str, steps: int) -> None:
    weighting = method_of(name, ALONE).weighting(TASKS, GIVEN, seed=0)
    weights = [
        one_step(weighting, step, StepLoss(np.array([1.0 + step, 1, 1, 1]), np.ones(4))) for step in range(steps + 1)
    ]
    assert np.array_equal(weights[:-1], np.tile(GIVEN, (steps, 1)))
    assert weights[-1][0] > 1.05


def test_groups_and_states_that_do_not_fit_are_refused() -> None:
    with pytest.raises(VisatbError, match="the groups name 'gqa', which is no task of this training"):
        method_of("dwa", {"gqa": ("gqa",)}).weighting(TASKS, GIVEN, 0)
    with pytest.raises(VisatbError, match="no group was given"):
        method_of("tla", {}).weighting(TASKS, GIVEN, 0)
    for other in ({}, method("dwa").state_dict(), method("igbv1", GROUPS).state_dict()):
        with pytest.raises(VisatbError, match="weighting state does not fit"):
            method("igbv1").load_state_dict(other)
