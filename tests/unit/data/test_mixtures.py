from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visatb.data.mixtures import (
    MIXTURE_SCHEMA,
    build_mixture,
    nested_rows,
    read_mixture,
    subset_rows,
    subset_size,
    write_mixture,
)
from visatb.data.records import RECORD_SCHEMA
from visatb.data.subsets import check_nested, rows_of_subset
from visatb.errors import VisatbError
from visatb.runtime.files import write_parquet

seeds = st.integers(0, 2**31 - 1)
names = st.text("abcxyz-", min_size=1, max_size=8)
RATES = {"mini": 0.1, "large": 0.5, "train": 1.0}


def split(task: str, samples: int) -> pa.Table:
    turns = [{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]
    rows = [{"id": f"{task}{n}", "image": None, "conversations": turns, "truths": ["a"]} for n in range(samples)]
    return pa.Table.from_pylist(rows, schema=RECORD_SCHEMA)


@given(st.integers(1, 500), st.floats(0, 1), st.floats(0, 1), seeds, names)
def test_the_smaller_subset_lies_within_the_larger(samples: int, a: float, b: float, seed: int, task: str):
    mini, large = sorted((subset_size(samples, a), subset_size(samples, b)))
    small_rows, large_rows = (set(subset_rows(samples, size, seed, task).tolist()) for size in (mini, large))
    assert len(small_rows) == mini
    assert len(large_rows) == large
    assert small_rows <= large_rows <= set(range(samples))


@given(st.integers(1, 10**7), st.floats(0, 1))
def test_a_subset_has_the_share_of_the_samples_that_the_rate_says(samples: int, rate: float):
    assert abs(subset_size(samples, rate) - samples * rate) <= 0.5
    assert subset_size(samples, 1.0) == samples


@pytest.mark.parametrize(("samples", "rate", "size"), [(3200, 0.03125, 100), (10, 0.25, 3), (10, 0.24, 2), (9, 0.5, 5)])
def test_sizes_by_hand(samples: int, rate: float, size: int):
    assert subset_size(samples, rate) == size


def test_every_row_is_as_likely_as_any_other():
    drawn = np.zeros(20)
    for seed in range(2000):
        drawn[subset_rows(20, 5, seed, "t")] += 1
    expected, deviation = 2000 / 4, np.sqrt(2000 * 0.25 * 0.75)
    assert np.abs(drawn - expected).max() < 4.5 * deviation


@given(seeds, names, names)
def test_seed_and_task_alone_decide(seed: int, task: str, other: str):
    rows = subset_rows(100, 50, seed, task).tolist()
    assert rows == subset_rows(100, 50, seed, task).tolist()
    if other != task:
        assert rows != subset_rows(100, 50, seed, other).tolist()
    assert rows != subset_rows(100, 50, seed + 1, task).tolist()


def test_a_mixture_holds_the_subset_of_every_task():
    records = {"a": split("a", 100), "b": split("b", 40)}
    mixture = build_mixture(records, {"a": "mini", "b": "large"}, RATES, seed=3)
    assert mixture.schema == MIXTURE_SCHEMA
    table = mixture.to_pandas()
    assert table.groupby(["task", "subset"]).size().to_dict() == {("a", "mini"): 10, ("b", "large"): 20}
    assert table["id"].is_unique
    assert all(row.id.startswith(row.task) for row in table.itertuples())


def test_other_tasks_do_not_change_a_tasks_subset():
    records = {"a": split("a", 100), "b": split("b", 40), "c": split("c", 70)}
    alone = build_mixture(records, {"b": "large"}, RATES, seed=3)
    among = build_mixture(records, {"c": "mini", "b": "large", "a": "train"}, RATES, seed=3).to_pandas()
    assert alone["id"].to_pylist() == among.loc[among["task"] == "b", "id"].to_list()


def test_the_mini_rows_of_one_run_are_in_the_large_rows_of_another():
    records = {"a": split("a", 300)}
    mini, large, train = (set(build_mixture(records, {"a": s}, RATES, 0)["id"].to_pylist()) for s in RATES)
    assert mini < large < train
    assert train == set(records["a"]["id"].to_pylist())


@pytest.mark.parametrize(
    ("samples", "subset", "fragments"),
    [
        (4, "mini", ["'tiny'", "mini subset (0.1 of 4 samples) is empty", "sampling.mini"]),
        (1, "large", ["'tiny'", "1 of 1 samples", "no more"]),
    ],
)
def test_a_subset_too_small_to_measure_with_is_refused(samples: int, subset: str, fragments: list[str]):
    rates = RATES if subset == "mini" else {"mini": 0.5, "large": 0.6, "train": 1.0}
    with pytest.raises(VisatbError) as error:
        build_mixture({"tiny": split("t", samples)}, {"tiny": subset}, rates, seed=0)
    assert all(fragment in str(error.value) for fragment in fragments)


@given(st.integers(2, 200), st.data(), seeds)
def test_drawn_subsets_nest_with_ready_made_ones(samples: int, data: st.DataObject, seed: int):
    order = subset_rows(samples, samples, seed, "t")
    rows = st.lists(st.integers(0, samples - 1), unique=True, min_size=1, max_size=samples)
    given_rows = np.array(data.draw(rows))
    size = data.draw(st.integers(1, samples))
    mini = nested_rows("mini", order, size, {"large": given_rows})
    assert set(mini.tolist()) <= set(given_rows.tolist())
    assert len(set(mini.tolist())) == min(size, len(given_rows))
    large = nested_rows("large", order, max(size, len(given_rows)), {"mini": given_rows})
    assert set(given_rows.tolist()) <= set(large.tolist())
    assert len(set(large.tolist())) == len(large) == max(size, len(given_rows))
    assert nested_rows("train", order, samples, {"mini": given_rows}).tolist() == order.tolist()


def conversation(question: str, image: str | None = None, name: str = "x") -> dict:
    turns = [{"from": "human", "value": question}, {"from": "gpt", "value": "a"}]
    return {"id": name, "image": image, "conversations": turns, "truths": ["a"]}


def table(*rows: dict) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema=RECORD_SCHEMA)


def test_ready_made_records_are_found_by_what_they_say():
    train = table(*(conversation(q, i) for q, i in [("p", "1"), ("q", "1"), ("q", "2"), ("q", "1"), ("r", None)]))
    subset = table(conversation("q", "1", "other"), conversation("r "), conversation("q", "1"))
    assert rows_of_subset(subset, train, "t").tolist() == [1, 4, 3]
    others = table(*[conversation("q", "1", f"n{n}") for n in range(3)], conversation("?"))
    with pytest.raises(VisatbError, match="task 't', mini: 2 of 4 ready-made records are not in train") as error:
        rows_of_subset(others, train, "task 't', mini")
    assert "- n2" in str(error.value)


def test_a_mini_subset_outside_of_the_large_one_is_refused():
    train = table(*(conversation(str(n), name=f"id{n}") for n in range(5)))
    check_nested(np.array([1, 3]), np.array([3, 1, 0]), train, "t")
    with pytest.raises(VisatbError, match="task 't': 1 of 2 records of its mini subset are not in its large") as error:
        check_nested(np.array([1, 4]), np.array([3, 1, 0]), train, "t")
    assert "- id4" in str(error.value)


def test_a_mixture_on_disk_is_the_one_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("visatb.data.mixtures.BLOCK", 7)
    records = {"a": split("a", 100), "b": split("b", 40)}
    for task, rows in records.items():
        write_parquet(tmp_path / task / "train.parquet", rows)
    subsets = {"a": "mini", "b": "large"}
    ready_made = {("a", "mini"): np.array([5, 3, 99])}
    write_mixture(tmp_path / "mix.arrow", tmp_path, subsets, RATES, 3, ready_made)
    mixture = read_mixture(tmp_path / "mix.arrow")
    assert mixture.schema == MIXTURE_SCHEMA
    assert mixture.equals(build_mixture(records, subsets, RATES, 3, ready_made))
    assert mixture["id"].to_pylist()[:3] == ["a5", "a3", "a99"]
    write_parquet(tmp_path / "mix.parquet", mixture)
    assert read_mixture(tmp_path / "mix.parquet").equals(mixture)
    (tmp_path / "mix.arrow").write_bytes(b"ARROW1 and no more")
    with pytest.raises(VisatbError, match=r"mix\.arrow: cannot be read as a mixture"):
        read_mixture(tmp_path / "mix.arrow")
