"""Names of runs are read as they were written, whatever tasks and groups are called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visatb.balancing.run_names import FINAL, PREPARATION, SINGLE, RunName, is_reserved, parse_runs, stage

SUBJECTS = st.sampled_from(
    ["a", "mini", "seed1", "x-seed1", "apple-seeds", "plus-a", "only-b", "single-x-seed2", "base"]
)
NAMES = st.one_of(
    st.builds(RunName, st.sampled_from(["base", "mini"])),
    st.builds(RunName, st.just("mini"), repetition=st.integers(0, 20)),
    st.builds(RunName, st.just("plus"), SUBJECTS, st.integers(0, 20)),
    st.builds(RunName, st.sampled_from(["mini-only", "large-only", "single"]), SUBJECTS),
    st.builds(RunName, st.just("method"), st.sampled_from(["ew", "visatb", "minimal", "based", "my-seed1"])),
    st.builds(RunName, st.just("plus"), SUBJECTS, before=st.just(True)),
    st.just(RunName("mini", before=True)),
)


@given(NAMES)
def test_a_name_is_read_as_it_was_written_where_groups_are_known(name: RunName) -> None:
    groups = {name.subject} if name.kind == "plus" else ()
    assert RunName.parse(str(name), groups) == name
    assert stage(str(name)) == name.stage


def test_without_groups_the_ending_of_a_repetition_is_taken_for_one() -> None:
    assert RunName.parse("plus-x-seed1") == RunName("plus", "x", 1)
    assert RunName.parse("plus-x-seed1", ["x-seed1"]) == RunName("plus", "x-seed1")
    assert RunName.parse("plus-apple-seeds") == RunName("plus", "apple-seeds")
    assert RunName.parse("plus-seed1") == RunName("plus", "seed1")
    assert RunName.parse("single-x-seed1") == RunName("single", "x-seed1")


def test_a_repetition_has_its_original_beside_it() -> None:
    names = parse_runs(["mini", "mini-seed1", "plus-a", "plus-a-seed1", "plus-x-seed1", "plus-x-seed1-seed1", "ew"])
    repeated = {run: name.repetition for run, name in names.items() if name.repetition}
    assert repeated == {"mini-seed1": 1, "plus-a-seed1": 1, "plus-x-seed1-seed1": 1}
    assert names["plus-x-seed1"].subject == "x-seed1"
    assert list(names)[-1] == "ew"


@pytest.mark.parametrize(
    ("name", "of", "resources"),
    [
        (RunName("base"), PREPARATION, "final"),
        (RunName("mini"), PREPARATION, "mini"),
        (RunName("mini-only", "a"), PREPARATION, "mini"),
        (RunName("plus", "a", 2), PREPARATION, "plus"),
        (RunName("large-only", "a"), PREPARATION, "plus"),
        (RunName("single", "a"), SINGLE, "single"),
        (RunName("method", "ew"), FINAL, "final"),
        (RunName("plus", "a", before=True), PREPARATION, "final"),
    ],
)
def test_what_a_name_says_of_a_run(name: RunName, of: str, resources: str) -> None:
    assert (name.stage, name.resources) == (of, resources)


def test_methods_of_ones_own_take_no_name_of_runs_that_measure() -> None:
    assert all(map(is_reserved, ("plus-a", "single-", "mini-only-a", "large-only-a", "mini-seed1", "before-mini")))
    assert not any(map(is_reserved, ("minimal", "ew", "visatb-T1", "plush", "seed1")))
