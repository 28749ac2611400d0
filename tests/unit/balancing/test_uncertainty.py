"""Standard errors and bootstrap intervals against formulas, simulations and cases with a known answer."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from visatb.balancing import bootstrap
from visatb.balancing.balance import Balance, balance
from visatb.balancing.bootstrap import Intervals
from visatb.balancing.design import Design
from visatb.balancing.gaps import gap_standard_errors
from visatb.config.balancing import BalanceSettings
from visatb.errors import VisatbError
from visatb.scores import uncertainty
from visatb.scores.columns import Column
from visatb.scores.paired import PairedSamples, paired_samples
from visatb.scores.uncertainty import replicate_scores, standard_errors

TASKS = ["a", "b", "c"]
COLUMNS = [Column(task, "em") for task in TASKS]
GROUPS = {task: [task] for task in TASKS}
RUNS = ("mini", "plus-a", "plus-b", "plus-c")


def intervals(point: Balance, samples: list[PairedSamples], replicates: int = 2000, seed: int = 0) -> Intervals:
    return bootstrap.intervals(point, bootstrap.replicate(point, samples, replicates, seed))


T1 = BalanceSettings(temperature=1.0)
ACCURACY = {"a": [0.3, 0.6, 0.4, 0.35], "b": [0.4, 0.5, 0.7, 0.4], "c": [0.2, 0.3, 0.2, 0.7]}


def answered(column: str, accuracy: list[float], count: int, seed: int = 0, repeats: int = 1) -> PairedSamples:
    """Exact matches of samples with a difficulty of their own; each answer stands `repeats` times under its image."""
    difficulty = np.random.default_rng(seed).uniform(size=count)
    right = (difficulty < np.array(accuracy)[:, None]).astype(float).repeat(repeats, axis=1)
    images = [f"{column}-{number}" for number in range(count) for _ in range(repeats)]
    return PairedSamples(column, RUNS[: len(accuracy)], right, np.ones_like(right), images)


def samples_of(count: int, seed: int = 0) -> list[PairedSamples]:
    return [answered(task, ACCURACY[task], count, seed + i) for i, task in enumerate(TASKS)]


def matrix_of(samples: list[PairedSamples]) -> pd.DataFrame:
    return pd.DataFrame({one.column: one.scores() for one in samples}, index=RUNS)


def point_of(samples: list[PairedSamples], settings: BalanceSettings = T1) -> Balance:
    errors = gap_standard_errors(samples, Design(COLUMNS, GROUPS, settings))
    return balance(matrix_of(samples), Design.ungrouped(COLUMNS, settings), errors)


def test_standard_error_of_a_mean_is_the_textbook_one() -> None:
    values = np.random.default_rng(1).normal(size=(2, 500))
    samples = PairedSamples("a", ("x", "y"), values, np.ones_like(values), [str(i) for i in range(500)])
    expected = values.std(axis=1, ddof=1) / np.sqrt(500)
    np.testing.assert_allclose(standard_errors(samples), expected)
    drawn = replicate_scores(samples, 4000, seed=0)
    np.testing.assert_allclose(drawn.std(axis=0), expected, rtol=0.05)
    np.testing.assert_allclose(drawn.mean(axis=0), values.mean(axis=1), atol=4 * expected.max() / np.sqrt(4000))


def test_standard_error_of_a_ratio_is_what_new_samples_show() -> None:
    generator = np.random.default_rng(2)

    def draw() -> PairedSamples:
        below = generator.integers(1, 20, size=(1, 300)).astype(float)
        above = below * generator.beta(2, 3, size=(1, 300))
        return PairedSamples("a", ("x",), above, below, [str(i) for i in range(300)])

    experiments = [draw() for _ in range(800)]
    observed = np.std([one.scores()[0] for one in experiments])
    estimated = np.mean([standard_errors(one)["x"] for one in experiments])
    assert estimated == pytest.approx(observed, rel=0.1)
    assert replicate_scores(experiments[0], 3000, 0).std() == pytest.approx(
        standard_errors(experiments[0])["x"], rel=0.08
    )


def test_pairing_and_bootstrap_agree_on_the_error_of_a_gap() -> None:
    samples = samples_of(400)
    errors = gap_standard_errors(samples, Design(COLUMNS, GROUPS, T1))
    drawn = replicate_scores(samples[0], 4000, seed=3)
    assert (drawn[:, 1] - drawn[:, 0]).std() == pytest.approx(errors["a"], rel=0.05)
    unpaired = np.hypot(*standard_errors(samples[0])[["mini", "plus-a"]])
    assert errors["a"] < 0.8 * unpaired


def test_repeats_within_an_image_add_no_certainty() -> None:
    once, repeated = answered("a", ACCURACY["a"], 200), answered("a", ACCURACY["a"], 200, repeats=4)
    np.testing.assert_allclose(standard_errors(repeated), standard_errors(once))
    np.testing.assert_allclose(replicate_scores(repeated, 500, 0), replicate_scores(once, 500, 0))
    blind = [f"sample {number}" for number in range(800)]
    as_if_independent = PairedSamples("a", RUNS, repeated.numerators, repeated.denominators, blind)
    np.testing.assert_allclose(standard_errors(repeated), 2 * standard_errors(as_if_independent), rtol=0.01)
    spread = [np.ptp(replicate_scores(one, 2000, 0)[:, 0]) for one in (repeated, as_if_independent)]
    assert spread[0] > 1.5 * spread[1]


def test_the_same_seed_gives_the_same_intervals_in_any_order_of_columns() -> None:
    samples = samples_of(150)
    point = point_of(samples)
    first, again = intervals(point, samples, 200, seed=5), intervals(point, samples[::-1], 200, seed=5)
    pd.testing.assert_frame_equal(first.groups, again.groups)
    pd.testing.assert_frame_equal(first.contributions, again.contributions)
    other = intervals(point, samples, 200, seed=6)
    assert not np.allclose(first.groups, other.groups)


def test_columns_share_a_draw_if_and_only_if_they_share_the_images() -> None:
    one = answered("a", ACCURACY["a"], 100)
    same = PairedSamples("b", RUNS, one.numerators, one.denominators, one.images)
    np.testing.assert_array_equal(replicate_scores(one, 50, 0), replicate_scores(same, 50, 0))
    different = PairedSamples("b", RUNS, one.numerators, one.denominators, [f"b{image}" for image in one.images])
    together = np.corrcoef(replicate_scores(one, 2000, 0)[:, 0], replicate_scores(different, 2000, 0)[:, 0])
    assert abs(together[0, 1]) < 0.1


def test_small_chunks_draw_as_large_ones_do(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = answered("a", ACCURACY["a"], 100)
    whole = replicate_scores(samples, 3000, 0)
    monkeypatch.setattr(uncertainty, "DRAWS_AT_ONCE", 700)
    in_chunks = replicate_scores(samples, 3000, 0)
    assert in_chunks.shape == whole.shape
    np.testing.assert_allclose(in_chunks.std(axis=0), whole.std(axis=0), rtol=0.08)


def test_intervals_hold_the_point_and_narrow_with_more_samples() -> None:
    widths = []
    for count in (200, 3200):
        samples = samples_of(count)
        point = point_of(samples)
        result = intervals(point, samples, 1000)
        assert result.groups.index.to_list() == TASKS
        assert (result.groups["weight_low"] < point.weights).all()
        assert (point.weights < result.groups["weight_high"]).all()
        pairs = result.contributions
        assert list(pairs.columns) == ["from", "to", "value", "low", "high"]
        assert len(pairs) == 6
        assert ((pairs["low"] <= pairs["value"]) & (pairs["value"] <= pairs["high"])).all()
        assert pairs.set_index(["from", "to"])["value"]["a", "c"] == point.C.loc["a", "c"]
        widths.append((result.groups["weight_high"] - result.groups["weight_low"]).mean())
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.35)


def test_intervals_cover_the_truth_about_as_often_as_they_say() -> None:
    truth = balance(pd.DataFrame(ACCURACY, index=RUNS), Design.ungrouped(COLUMNS, T1)).weights["c"]
    covered = 0
    for trial in range(100):
        samples = samples_of(300, seed=10 * trial)
        found = intervals(point_of(samples), samples, 300, seed=trial).groups.loc["c"]
        covered += found["weight_low"] <= truth <= found["weight_high"]
    assert 86 <= covered <= 100


def test_a_column_that_was_dropped_stays_dropped() -> None:
    samples = samples_of(300)
    samples[2] = answered("c", [0.5, 0.6, 0.5, 0.5], 300)
    point = point_of(samples)
    assert [unlearned.column for unlearned in point.unlearned] == ["c"]
    result = intervals(point, samples, 300)
    changed = samples.copy()
    changed[2] = answered("c", [0.1, 0.9, 0.2, 0.3], 300)
    pd.testing.assert_frame_equal(intervals(point, changed, 300).groups, result.groups)


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 6), st.integers(0, 1000), st.sampled_from(["drop", "clip"]))
def test_few_samples_never_give_an_infinite_interval(count: int, seed: int, policy: str) -> None:
    samples = samples_of(count, seed)
    try:
        point = balance(matrix_of(samples), Design.ungrouped(COLUMNS, BalanceSettings(on_unlearned=policy)))
    except VisatbError:
        return
    result = intervals(point, samples, 100, seed)
    assert np.isfinite(result.groups.to_numpy()).all()
    assert np.isfinite(result.contributions[["value", "low", "high"]].to_numpy()).all()


def test_draws_without_any_denominator_keep_the_score() -> None:
    below = np.array([[1.0] + [0.0] * 9])
    samples = PairedSamples("a", ("x",), 0.5 * below, below, [str(i) for i in range(10)])
    assert set(replicate_scores(samples, 500, 0).ravel()) == {0.5}


def table_of(ids: list[str], values: list[float], images: list[str | None] | None = None) -> pd.DataFrame:
    images = images if images is not None else [f"{sample}.png" for sample in ids]
    columns = {"id": ids, "image": images, "numerator": values, "denominator": [1.0] * len(ids)}
    return pd.DataFrame(columns)


def test_samples_are_aligned_by_id() -> None:
    tables = {"mini": table_of(["x", "y", "z"], [1, 2, 3]), "plus-a": table_of(["z", "x", "y"], [6, 4, 5])}
    samples = paired_samples("a", tables)
    assert samples.runs == ("mini", "plus-a")
    assert samples.numerators.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_samples_without_an_image_stand_alone() -> None:
    table = table_of(["x", "y", "z", "w"], [1, 2, 3, 4], [None, None, "1.png", "1.png"])
    samples = paired_samples("a", {"mini": table, "plus-a": table})
    assert len(set(samples.images)) == 3


def test_ids_that_differ_between_runs_are_named() -> None:
    tables = {
        "mini": table_of(["x", "y"], [1, 2]),
        "plus-a": table_of(["x", "w"], [1, 2]),
        "plus-b": table_of(["x", "x", "y"], [1, 1, 2]),
        "plus-c": table_of(["x", "y"], [1, 2], ["x.png", "other.png"]),
    }
    with pytest.raises(VisatbError) as error:
        paired_samples("GQA", tables)
    for words in (
        "same samples of GQA",
        "run plus-a lacks ids that run mini has: y",
        "run mini lacks ids that run plus-a has: w",
        "run plus-b has ids more than once: x",
        "runs mini and plus-c name different images for the ids y",
    ):
        assert words in str(error.value)


@pytest.mark.parametrize(
    ("above", "below", "images", "words"),
    [
        ([1.0, np.nan], [1.0, 1.0], "xy", "run mini has scores that are not finite"),
        ([1.0, 1.0], [0.0, 0.0], "xy", "denominators of run mini"),
        ([1.0, 1.0], [2.0, -1.0], "xy", "denominators of run mini"),
        ([1.0, 1.0], [1.0, 1.0], "xx", "at least two images are needed, found 1"),
    ],
)
def test_samples_that_cannot_be_used_are_refused(
    above: list[float], below: list[float], images: str, words: str
) -> None:
    with pytest.raises(VisatbError, match=words):
        PairedSamples("a", ("mini",), np.array([above]), np.array([below]), list(images))


def test_missing_columns_and_runs_are_named() -> None:
    samples = samples_of(50)
    with pytest.raises(VisatbError) as error:
        intervals(point_of(samples), [answered("a", ACCURACY["a"][:2], 50), samples[1]], 10)
    for words in (
        "column c has no samples",
        "column a has no samples of run plus-b",
        "column a has no samples of run plus-c",
    ):
        assert words in str(error.value)


def test_precise_difficulty_needs_its_runs_in_their_own_column_only() -> None:
    precise = BalanceSettings(temperature=1.0, difficulty="precise")
    samples = []
    for one in samples_of(300):
        alone = answered(one.column, [0.2, 0.8], 300, seed=TASKS.index(one.column))
        runs = (*RUNS, f"mini-only-{one.column}", f"large-only-{one.column}")
        above = np.vstack([one.numerators, alone.numerators])
        samples.append(PairedSamples(one.column, runs, above, np.ones_like(above), one.images))
    matrix = pd.DataFrame({one.column: pd.Series(one.scores(), index=one.runs) for one in samples})
    point = balance(matrix, Design.ungrouped(COLUMNS, precise))
    result = intervals(point, samples, 500).groups
    assert point.D.to_list() == pytest.approx([0.75] * 3, abs=0.1)
    assert ((result["D_low"] < point.D) & (result["D_high"] > point.D)).all()
