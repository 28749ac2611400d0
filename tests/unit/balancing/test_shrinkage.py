"""Shrinkage against the formula for equal variances, laws it must obey, and truths drawn from a known prior."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from visatb.balancing.balance import balance
from visatb.balancing.bootstrap import intervals, replicate
from visatb.balancing.design import Design
from visatb.balancing.shrinkage import estimate_prior, kept_share, posterior_draws, shrink, shrunk
from visatb.config.balancing import BalanceSettings
from visatb.scores.columns import Column
from visatb.scores.paired import PairedSamples

estimates = arrays(np.float64, 12, elements=st.floats(-2, 2))
spreads = arrays(np.float64, 12, elements=st.floats(0.01, 1))
steady = settings(deadline=None, max_examples=60)
TASKS = ["a", "b", "c", "d"]
COLUMNS = [Column(task, "em") for task in TASKS]
SETTINGS = BalanceSettings(temperature=1.0)


def test_equal_variances_give_the_textbook_shares() -> None:
    """With one variance s2 for all, the moments are the sample's: mean, and variance less s2."""
    values = np.array([0.1, 0.4, -0.3, 0.9, 0.2])
    prior = estimate_prior(values, np.full(5, 0.04))
    assert float(prior.mean) == pytest.approx(values.mean())
    assert float(prior.variance) == pytest.approx(values.var(ddof=1) - 0.04)
    expected = values.mean() + (1 - 0.04 / values.var(ddof=1)) * (values - values.mean())
    np.testing.assert_allclose(shrink(values, np.full(5, 0.04)), expected)


def test_dersimonian_and_laird_by_loops() -> None:
    values, variances = [0.2, 0.9, -0.1, 0.5], [0.01, 0.2, 0.05, 0.02]
    w = [1 / v for v in variances]
    centre = sum(a * b for a, b in zip(w, values, strict=True)) / sum(w)
    q = sum(a * (b - centre) ** 2 for a, b in zip(w, values, strict=True))
    between = max(0.0, (q - 3) / (sum(w) - sum(a * a for a in w) / sum(w)))
    total = [1 / (v + between) for v in variances]
    prior = estimate_prior(np.array(values), np.array(variances))
    assert float(prior.variance) == pytest.approx(between)
    assert float(prior.mean) == pytest.approx(sum(a * b for a, b in zip(total, values, strict=True)) / sum(total))


@steady
@given(estimates, spreads)
def test_estimates_move_towards_the_mean_and_never_past_it(values: np.ndarray, variances: np.ndarray) -> None:
    prior, found = estimate_prior(values, variances), shrink(values, variances)
    before, after = values - prior.mean, found - prior.mean
    assert (np.abs(after) <= np.abs(before) + 1e-9).all()
    assert (before * after >= -1e-9).all()


@steady
@given(estimates, spreads)
def test_the_less_sure_keeps_the_smaller_share(values: np.ndarray, variances: np.ndarray) -> None:
    kept = kept_share(estimate_prior(values, variances), variances)
    order = np.argsort(variances)
    assert (np.diff(kept[order]) <= 1e-12).all()
    assert ((kept >= 0) & (kept <= 1)).all()


@steady
@given(estimates, spreads, st.floats(-3, 3), st.floats(0.1, 5))
def test_shifts_and_units_carry_through(values: np.ndarray, variances: np.ndarray, shift: float, unit: float) -> None:
    found = shrink(values, variances)
    np.testing.assert_allclose(shrink(unit * values + shift, unit**2 * variances), unit * found + shift, atol=1e-6)


def test_sure_estimates_stay_and_unsure_ones_become_the_mean() -> None:
    values = np.array([0.0, 1.0, 2.0])
    np.testing.assert_allclose(shrink(values, np.full(3, 1e-9)), values, atol=1e-6)
    np.testing.assert_allclose(shrink(values, np.full(3, 50.0)), np.full(3, 1.0))
    assert np.isfinite(shrink(values, np.zeros(3))).all()


def test_draws_hold_truths_of_a_known_prior_as_often_as_they_say_and_lie_closer() -> None:
    generator = np.random.default_rng(5)
    held, errors, raw = [], [], []
    spread = np.linspace(0.05, 0.4, 30)
    for trial in range(150):
        truth = generator.normal(0.2, 0.2, 30)
        values = truth + spread * generator.normal(size=30)
        draws = posterior_draws(values, spread * generator.normal(size=(400, 30)), trial)
        low, high = np.percentile(draws, (2.5, 97.5), axis=0)
        held.append((low <= truth) & (truth <= high))
        errors.append((draws.mean(axis=0) - truth) ** 2)
        raw.append((values - truth) ** 2)
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
    assert np.mean(errors) < 0.7 * np.mean(raw)


def samples_of(count: int, seed: int) -> list[PairedSamples]:
    generator = np.random.default_rng(seed)
    runs = ("mini", *(f"plus-{task}" for task in TASKS))
    samples = []
    for place, task in enumerate(TASKS):
        accuracy = np.full(5, 0.35)
        accuracy[place + 1] = 0.6
        right = (generator.uniform(size=count) < accuracy[:, None] + 0.1 * generator.normal(size=(5, count))).astype(
            float
        )
        samples.append(PairedSamples(task, runs, right, np.ones_like(right), [f"{task}{n}" for n in range(count)]))
    return samples


def test_a_balance_keeps_its_laws_after_shrinking() -> None:
    samples = samples_of(150, 3)
    matrix = pd.DataFrame({one.column: pd.Series(one.scores(), index=list(one.runs)) for one in samples})
    point = balance(matrix, Design.ungrouped(COLUMNS, SETTINGS))
    drawn = replicate(point, samples, 500)
    moved, posterior = shrunk(point, drawn)
    assert np.diag(moved.C).tolist() == [1.0] * 4
    off = ~np.eye(4, dtype=bool)
    assert moved.C.to_numpy()[off].std() < point.C.to_numpy()[off].std()
    pd.testing.assert_series_equal(moved.D, point.D)
    assert moved.C_out.mean() == pytest.approx(moved.C_in.mean())
    assert moved.C_out["a"] == pytest.approx(moved.C.loc["a", ["b", "c", "d"]].mean())
    assert moved.weights.sum() == pytest.approx(4)
    np.testing.assert_allclose(posterior.weights.total.sum(axis=-1), 4)
    found = intervals(moved, posterior)
    plain = intervals(point, drawn)
    width = (found.contributions["high"] - found.contributions["low"]).mean()
    assert width < (plain.contributions["high"] - plain.contributions["low"]).mean()
    inside = (found.groups["weight_low"] < moved.weights) & (moved.weights < found.groups["weight_high"])
    assert inside.all()


def test_a_group_without_columns_takes_the_mean_of_the_shrunk() -> None:
    samples = samples_of(150, 3)
    matrix = pd.DataFrame({one.column: pd.Series(one.scores(), index=list(one.runs)) for one in samples})
    matrix.loc["plus-d", "d"] = matrix.loc["mini", "d"]
    point = balance(matrix, Design.ungrouped(COLUMNS, SETTINGS))
    moved, _ = shrunk(point, replicate(point, samples, 300))
    assert moved.C_in["d"] == pytest.approx(moved.C_in[["a", "b", "c"]].mean())
    assert (moved.C.loc[["a", "b", "c"], "d"] == moved.C_in["d"]).all()
    assert [one.column for one in moved.unlearned] == ["d"]
