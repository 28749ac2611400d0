"""A pattern of names matches these names and nothing else, as a plain list of them would."""

import re

from hypothesis import given
from hypothesis import strategies as st

from visatb.runtime.patterns import one_of

NAMES = st.text(alphabet="ab-.(", min_size=1, max_size=6)


@given(st.lists(NAMES, max_size=12), st.lists(NAMES, max_size=12))
def test_it_matches_what_a_list_matches(names: list[str], others: list[str]) -> None:
    pattern = re.compile(one_of(names))
    for name in [*names, *others, *(f"{name}a" for name in names), *(name[:-1] for name in names), ""]:
        assert bool(pattern.fullmatch(name)) == (name in names)


@given(st.lists(NAMES, min_size=1, max_size=12))
def test_a_name_is_found_in_a_path_though_others_begin_alike(names: list[str]) -> None:
    pattern = re.compile(f"runs/(?P<run>{one_of(names)})/model")
    for name in names:
        found = pattern.fullmatch(f"runs/{name}/model")
        assert found
        assert found["run"] == name


def test_names_share_their_beginnings() -> None:
    assert one_of(["plus-a", "plus-b", "mini"]) == "(?:mini|plus\\-(?:a|b))"
    assert one_of([]) == "(?!)"
