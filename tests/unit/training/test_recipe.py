"""What the recipe tells of a training: as ever, whatever keys come; and what transformers is told."""

import pytest

from visatb.config.training import DESCRIBED_FROM_THE_START, Recipe


def test_a_later_key_is_described_only_where_it_has_not_its_default() -> None:
    assert Recipe().described().keys() == Recipe(label_smoothing=0.0).described().keys() == DESCRIBED_FROM_THE_START
    assert Recipe(label_smoothing=0.1).described() == Recipe().described() | {"label_smoothing": 0.1}


@pytest.mark.parametrize(
    ("key", "value", "argument"),
    [("epochs", 2.0, "num_train_epochs"), ("label_smoothing", 0.1, "label_smoothing_factor")],
)
def test_transformers_is_told_under_its_own_names(key: str, value: float, argument: str) -> None:
    assert Recipe(**{key: value}).arguments() == Recipe().arguments() | {argument: value}
