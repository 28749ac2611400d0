"""Exact search, floor and cap, near duplicates and clusters, against the plainest way to compute them."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from visatb.config.taskgalaxy import MatchLimits
from visatb.errors import VisatbError
from visatb.taskgalaxy.clusters import clusters
from visatb.taskgalaxy.embedding import unit_vectors
from visatb.taskgalaxy.matches import match_table
from visatb.taskgalaxy.matching import near_duplicates, nearest, within_floor_and_cap


def by_brute_force(pictures: np.ndarray, types: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the k best of every row of the whole matrix of products in float64, equal ones by their number."""
    cosines = np.array([[np.dot(p.astype(np.float64), t.astype(np.float64)) for t in types] for p in pictures])
    order = np.argsort(-cosines, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(cosines, order, axis=1)


def some_vectors(number: int, width: int, seed: int) -> np.ndarray:
    return unit_vectors(np.random.default_rng(seed).normal(size=(number, width)))


@pytest.mark.parametrize(
    ("pictures", "types", "width", "k"), [(70, 500, 24, 10), (33, 700, 8, 5), (5, 9, 4, 20), (1, 1, 3, 1)]
)
def test_the_nearest_types_are_those_of_brute_force(pictures: int, types: int, width: int, k: int):
    left, right = some_vectors(pictures, width, 1), some_vectors(types, width, 2)
    indices, cosines = nearest(left, right, k, block=16, threads=2)
    expected, products = by_brute_force(left, right, min(k, types))
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(cosines, products, rtol=0, atol=1e-15)


def test_what_float32_cannot_tell_apart_is_told_apart():
    """Hundreds of types differ by less than the error of float32; which is best shows in float64 only."""
    rng = np.random.default_rng(3)
    centre = rng.normal(size=64)
    types = unit_vectors(centre + 3e-7 * rng.normal(size=(600, 64)))
    pictures = unit_vectors(centre + 0.2 * rng.normal(size=(40, 64)))
    expected, products = by_brute_force(pictures, types, 5)
    assert (np.abs(np.diff(products, axis=1)) < 2.0**-24).any(), "the case is as hard as it is meant to be"
    np.testing.assert_array_equal(nearest(pictures, types, 5)[0], expected)
    in_float32 = np.argsort(-(pictures @ types.T), axis=1, kind="stable")[:, :5]
    assert (in_float32 != expected).any(), "float32 alone would be wrong here"


def test_equal_types_come_in_their_order():
    types = np.repeat(some_vectors(1, 8, 0), 300, axis=0)
    indices, _ = nearest(some_vectors(3, 8, 1), types, 4)
    np.testing.assert_array_equal(indices, [[0, 1, 2, 3]] * 3)


def test_vectors_are_read_from_a_file_block_by_block(tmp_path: Path):
    left, right = some_vectors(50, 16, 1), some_vectors(100, 16, 2)
    np.save(tmp_path / "left.npy", left)
    mapped = np.load(tmp_path / "left.npy", mmap_mode="r")
    np.testing.assert_array_equal(nearest(mapped, right, 3, block=7)[0], by_brute_force(left, right, 3)[0])


@given(st.integers(1, 12), st.integers(1, 6), st.floats(-1, 1), st.integers(1, 5), st.integers(0, 10**6))
def test_floor_and_cap_are_those_of_the_definition(rows: int, k: int, floor: float, cap: int, seed: int):
    rng = np.random.default_rng(seed)
    indices = np.stack([rng.permutation(8)[:k] for _ in range(rows)]).astype(np.int32)
    cosines = rng.choice(np.linspace(-1, 1, 9), size=(rows, k))  # many equal ones
    reaches, within = within_floor_and_cap(indices, cosines, floor, cap)
    for row in range(rows):
        for column in range(k):
            mine = cosines[row, column]
            assert reaches[row, column] == (mine >= floor)
            places = np.argwhere(indices == indices[row, column])
            better = sum(cosines[r, c] > mine or (cosines[r, c] == mine and r < row) for r, c in places)
            assert within[row, column] == (mine >= floor and better < cap)


def test_every_match_is_in_the_table_with_its_reason():
    pictures = [{"image": f"{n}.png", "digest": f"d{n}"} for n in range(30)]
    types = [{"id": f"t{n}"} for n in range(20)]
    left, right = some_vectors(30, 6, 1), some_vectors(20, 6, 2)
    table = match_table(pictures, left, types, right, MatchLimits(top_k=4, floor=0.5, cap=3)).to_pylist()
    assert len(table) == 120
    assert len({(row["digest"], row["type"]) for row in table}) == 120
    kept = [row for row in table if row["status"] == "kept"]
    assert max(sum(row["type"] == kind["id"] for row in kept) for kind in types) == 3
    assert all((row["cosine"] < 0.5) == (row["reason"] == "cosine below the floor of 0.5") for row in table)
    assert {row["reason"] for row in table} == {None, "cosine below the floor of 0.5", "type has its 3 pictures"}


def test_near_duplicates_are_found_and_name_what_stays():
    vectors = some_vectors(60, 5, 4)
    copied = unit_vectors(vectors[[3, 10, 3]] + 1e-3)
    all_vectors = np.concatenate([vectors, copied])
    found = {
        number: earlier for number, earlier, cosine in near_duplicates(all_vectors, 0.999, block=17) if cosine >= 0.999
    }
    assert found == {60: 3, 61: 10, 62: 3}


def test_a_chain_of_near_types_keeps_those_that_are_far_from_what_stays():
    angles = np.deg2rad([0, 10, 20, 30])
    chain = unit_vectors(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    found = [(number, earlier) for number, earlier, _ in near_duplicates(chain, np.cos(np.deg2rad(12)))]
    assert found == [(1, 0), (3, 2)]


def test_vectors_have_length_one_by_row():
    vectors = np.array([[3.0, 4.0], [0.0, 2.0], [1e-20, 0.0]])
    np.testing.assert_allclose(unit_vectors(vectors), [[0.6, 0.8], [0, 1], [1, 0]], rtol=1e-7)


@pytest.mark.parametrize("bad", [0.0, np.nan, np.inf])
def test_vectors_without_a_direction_are_refused(bad: float):
    with pytest.raises(VisatbError, match="zero or not finite"):
        unit_vectors(np.array([[1.0, 1.0], [bad, bad]]))


def test_clusters_are_the_groups_that_there_are_and_stay_the_same():
    rng = np.random.default_rng(0)
    centres = np.eye(4)[[0, 1, 2]]
    truth = rng.permutation(np.repeat([0, 1, 2], 20))
    vectors = unit_vectors(centres[truth] + 0.1 * rng.normal(size=(60, 4)))
    found = clusters(vectors, 3, seed=5)
    assert len({(t, f) for t, f in zip(truth, found, strict=True)}) == 3
    np.testing.assert_array_equal(found, clusters(vectors, 3, seed=5))
    assert found[0] == 0
    assert set(clusters(vectors[:2], 10, seed=0)) == {0, 1}
    assert set(clusters(np.repeat(vectors[:1], 5, axis=0), 3, seed=0)) == {0}
