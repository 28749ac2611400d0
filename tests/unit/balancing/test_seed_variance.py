"""Repeated trainings: means over seeds, the spread between them, and what the config makes of `balancing.seeds`."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from visatb.balancing.balance import balance
from visatb.balancing.bootstrap import replicate
from visatb.balancing.design import Design, Names
from visatb.balancing.gaps import gap_standard_errors
from visatb.balancing.matrix import validation_matrix
from visatb.balancing.run_names import RunName
from visatb.balancing.seed_variance import seed_deviations, seed_variances
from visatb.config.balancing import BalanceSettings
from visatb.errors import VisatbError
from visatb.experiment.experiment import Experiment
from visatb.scores.columns import Column
from visatb.scores.paired import PairedSamples

TASKS = ["a", "b", "c"]
COLUMNS = [Column(task, "em") for task in TASKS]
GROUPS = {task: [task] for task in TASKS}
TRUE = {"mini": 0.3, "plus-a": 0.5, "plus-b": 0.55, "plus-c": 0.6}


def design_of(seeds: int, mini_seeds: int | None = None) -> Design:
    return Design(COLUMNS, GROUPS, BalanceSettings(temperature=1.0, seeds=seeds, mini_seeds=mini_seeds))


def repetitions(run: str, seeds: int, mini_seeds: int | None = None) -> tuple[str, ...]:
    return tuple(map(str, RunName.parse(run).repeated(seeds, mini_seeds)))


def names_of(seeds: int) -> Names:
    return design_of(seeds).names


def matrix_of(samples: list[PairedSamples], seeds: int, mini_seeds: int | None = None) -> pd.DataFrame:
    return validation_matrix(samples, design_of(seeds, mini_seeds).names.repetitions)


def drawn(seeds: int, between: float, count: int, seed: int, mini_seeds: int | None = None) -> list[PairedSamples]:
    """Normal scores of samples that all runs share, each training moved as a whole and each answer on its own."""
    generator = np.random.default_rng(seed)
    run_of = {again: run for run in TRUE for again in repetitions(run, seeds, mini_seeds)}
    trainings = list(run_of)
    means = np.array([TRUE[run] for run in run_of.values()])[:, None]
    samples = []
    for task in TASKS:
        moved = means + between * generator.normal(size=means.shape)
        scores = moved + 0.3 * generator.normal(size=count) + 0.4 * generator.normal(size=(len(trainings), count))
        images = [f"{task}{number}" for number in range(count)]
        samples.append(PairedSamples(task, tuple(trainings), scores, np.ones_like(scores), images))
    return samples


def without_the_last(one: PairedSamples) -> PairedSamples:
    return PairedSamples(one.column, one.runs[:-1], one.numerators[:-1], one.denominators[:-1], one.images)


def test_only_mini_and_plus_runs_are_repeated() -> None:
    assert repetitions("plus-GQA", 3) == ("plus-GQA", "plus-GQA-seed1", "plus-GQA-seed2")
    assert repetitions("mini", 1) == ("mini",)
    for run in ("base", "single-a", "mini-only-a", "large-only-a"):
        assert repetitions(run, 3) == (run,)


def test_mini_may_be_repeated_as_often_as_it_likes() -> None:
    assert repetitions("mini", 1, 3) == ("mini", "mini-seed1", "mini-seed2")
    assert repetitions("mini", 3, 1) == ("mini",)
    assert repetitions("plus-GQA", 1, 3) == ("plus-GQA",)
    samples = drawn(1, 0.05, 50, 0, mini_seeds=3)
    matrix = matrix_of(samples, 1, 3)
    for one in samples:
        by_run = dict(zip(one.runs, one.scores(), strict=True))
        minis = [by_run["mini"], by_run["mini-seed1"], by_run["mini-seed2"]]
        assert matrix.loc["mini", one.column] == pytest.approx(np.mean(minis))
        assert matrix.loc["plus-a", one.column] == by_run["plus-a"]


def test_the_score_of_a_repeated_run_is_the_mean_of_its_trainings() -> None:
    samples = drawn(3, 0.05, 50, 0)
    matrix = matrix_of(samples, 3)
    for one in samples:
        by_run = dict(zip(one.runs, one.scores(), strict=True))
        for run in TRUE:
            expected = (by_run[run] + by_run[f"{run}-seed1"] + by_run[f"{run}-seed2"]) / 3
            assert matrix.loc[run, one.column] == pytest.approx(expected)
    missing = [without_the_last(one) for one in samples]
    assert np.isnan(matrix_of(missing, 3).loc["plus-c"]).all()


@pytest.mark.parametrize("between", [0.0, 0.05, 0.1])
def test_the_variance_between_seeds_is_found_without_the_chance_in_samples(between: float) -> None:
    """Each answer's own chance moves a training's score by 0.4 / sqrt(100) = 0.04, which is no seed's doing."""
    found = [seed_variances(drawn(4, between, 100, seed), names_of(4)) for seed in range(60)]
    assert np.mean(found) == pytest.approx(between**2, rel=0.2, abs=4e-4)


def test_deviations_have_the_variance_between_seeds_of_a_mean() -> None:
    samples, names = drawn(3, 0.1, 100, 1), names_of(3)
    moved = seed_deviations(samples, names, 20_000, 0)
    freedom = 4 * 2
    chance = 0.4**2 / 100
    expected = ((seed_variances(samples, names) + chance) * freedom / (freedom - 2) - chance) / 3
    np.testing.assert_allclose(moved.var(axis=0), np.broadcast_to(expected, (4, 3)), rtol=0.15)
    assert abs(moved.mean()) < 0.005
    correlation = np.corrcoef(moved[:, 0, 0], moved[:, 1, 0])[0, 1]
    assert abs(correlation) < 0.1, "trainings are independent of each other"


def test_one_training_a_run_has_no_spread() -> None:
    samples, names = drawn(1, 0.1, 100, 1), names_of(1)
    assert (seed_variances(samples, names) == 0).all()
    assert (seed_deviations(samples, names, 10, 0) == 0).all()


@pytest.mark.parametrize(("seeds", "mini_seeds"), [(2, None), (1, 5)])
def test_the_error_of_a_gap_is_what_new_experiments_show(seeds: int, mini_seeds: int | None) -> None:
    """Chance in seeds and in samples together; of plus runs that are trained once, mini tells how far seeds move."""
    gaps, errors = [], []
    for seed in range(300):
        samples = drawn(seeds, 0.05, 150, seed, mini_seeds)
        matrix = matrix_of(samples, seeds, mini_seeds)
        gaps.append(matrix.loc["plus-a", "a"] - matrix.loc["mini", "a"])
        errors.append(gap_standard_errors(samples, design_of(seeds, mini_seeds))["a"])
    assert np.sqrt(np.mean(np.square(errors))) == pytest.approx(np.std(gaps), rel=0.12)


def test_intervals_grow_with_the_spread_between_seeds() -> None:
    widths = []
    for between in (0.0, 0.1):
        samples = drawn(3, between, 400, 7)
        errors = gap_standard_errors(samples, design_of(3))
        matrix = matrix_of(samples, 3)
        point = balance(matrix, design_of(3), errors)
        widths.append(np.ptp(np.percentile(replicate(point, samples, 1000).values, (2.5, 97.5), axis=0), axis=0).mean())
    assert widths[1] > 2 * widths[0]


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 4), st.floats(0, 0.2), st.integers(0, 10**6))
def test_shifting_all_trainings_of_a_run_alike_changes_no_variance(seeds: int, between: float, seed: int) -> None:
    samples, names = drawn(seeds, between, 40, seed), names_of(seeds)
    shifted = []
    for one in samples:
        by_run = np.array([0.1 * (name.startswith("plus-b")) for name in one.runs])[:, None]
        shifted.append(PairedSamples(one.column, one.runs, one.numerators + by_run, one.denominators, one.images))
    found = seed_variances(samples, names)
    assert (found >= 0).all()
    np.testing.assert_allclose(seed_variances(shifted, names), found, atol=1e-12)


def test_a_config_with_seeds_trains_each_preparation_run_as_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)
    plain, again = (Experiment.from_values(config_values(balancing={"seeds": seeds})) for seeds in (1, 3))
    prepared = [run.name for run in plain.preparation_runs]
    assert [run.name for run in again.preparation_runs] == [name for run in prepared for name in repetitions(run, 3)]
    assert [run.name for run in again.final_runs] == [run.name for run in plain.final_runs]
    for run in prepared:
        for number, name in enumerate(repetitions(run, 3)):
            assert again.runs[name].repetition == number
            assert again.runs[name].mixture == plain.runs[run].mixture
            assert again.resource_kind(name) == plain.resource_kind(run)
    assert {run for run, _, _ in again.measured_by("visatb")} == set(again.design("visatb").names.scored)


def test_a_config_with_mini_seeds_trains_mini_alone_as_often(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)
    plain, again = (Experiment.from_values(config_values(balancing=more)) for more in ({}, {"mini_seeds": 3}))
    more = {run.name for run in again.preparation_runs} - {run.name for run in plain.preparation_runs}
    assert more == {"mini-seed1", "mini-seed2"}
    assert again.balance_settings("visatb").mini_seeds == 3
    assert more < {run for run, _, _ in again.measured_by("visatb")}


def test_names_that_repetitions_would_share_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)
    values = config_values(balancing={"seeds": 2})
    values["tasks"] = values["tasks"] | {"vqa-seed1": values["tasks"]["vqa"]}
    with pytest.raises(VisatbError, match="plus-vqa-seed1 is also a repetition of plus-vqa"):
        Experiment.from_values(values)
    with pytest.raises(VisatbError, match=r"balancing\.seeds to 1, not 2"):
        Experiment.from_values(config_values(balancing={"seeds": 2, "form": "simple"}))
    with pytest.raises(VisatbError, match=r"balancing\.mini_seeds to 1, not 3"):
        Experiment.from_values(config_values(balancing={"mini_seeds": 3, "form": "simple"}))


def test_a_missing_training_is_named() -> None:
    samples = drawn(2, 0.0, 50, 0)
    short = [without_the_last(one) for one in samples]
    with pytest.raises(VisatbError, match="column a has no samples of run plus-c-seed1"):
        gap_standard_errors(short, design_of(2))


def test_pandas_tables_keep_the_order_of_runs() -> None:
    matrix = matrix_of(drawn(2, 0.0, 20, 0), 2)
    pd.testing.assert_index_equal(matrix.index, pd.Index(list(TRUE)))
    assert list(matrix.columns) == TASKS
