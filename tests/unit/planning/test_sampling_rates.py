"""The smallest rates within the paper's limits, found here by trying every one."""

from collections.abc import Callable
from math import ceil, floor

import pytest

from visatb.planning.sampling_rates import GRAIN, TrainSizes, resolved_rates


def drawn(samples: int, rate: float) -> int:
    return floor(samples * rate + 0.5)


def first(keeps: Callable[[float], bool]) -> float:
    return next((k / GRAIN for k in range(1, GRAIN + 1) if keeps(k / GRAIN)), 1.0)


@pytest.mark.parametrize("batch", [8, 128, 512])
@pytest.mark.parametrize("epochs", [1, 0.5, 3])
def test_no_smaller_rate_keeps_to_the_limits(batch: int, epochs: float):
    groups = {"caption": {"caption": 90_000}, "questions": {"vqa": 31_000, "gqa": 60_000}}
    sizes = TrainSizes(groups, {"chat": 40_000}, batch, epochs)
    tasks = [90_000, 31_000, 60_000]

    def large(rate: float) -> bool:
        sums = [drawn(90_000, rate), drawn(31_000, rate) + drawn(60_000, rate)]
        return all(size > 10_000 and size * epochs / batch > 100 for size in sums)

    def mini(rate: float) -> bool:
        steps = ceil(ceil(sum(drawn(size, rate) for size in [*tasks, 40_000]) / batch) * epochs)
        return all(drawn(size, rate) >= 1_000 for size in tasks) and steps > 100

    found = resolved_rates("auto", "auto", sizes)
    if found.mini * 2 <= found.large:
        assert found.mini == first(mini)
    assert found.large == max(first(large), min(1, 2 * found.mini))
    assert len(found.why) == 2


def test_given_rates_stay_and_need_no_reason():
    sizes = TrainSizes({"a": {"a": 20_000}, "b": {"b": 50_000}}, {}, 128, 1)
    assert resolved_rates(0.5, 0.1, sizes).why == ()
    only_mini = resolved_rates(1.0, "auto", sizes)
    assert (only_mini.large, len(only_mini.why)) == (1.0, 1)
    assert only_mini.mini == 0.1829  # 12,801 of 70,000 samples are 101 steps of 128
    only_large = resolved_rates("auto", 0.45, sizes)
    assert (only_large.large, only_large.mini) == (0.9, 0.45)
    assert "twice R_mini" in only_large.why[0]


def test_too_little_data_are_taken_whole_and_leave_something_to_measure():
    found = resolved_rates("auto", "auto", TrainSizes({"a": {"a": 900}, "b": {"b": 90_000}}, {}, 128, 1))
    assert (found.large, found.mini) == (1.0, 0.5)
    assert "too small for more than 10,000 samples of a" in found.why[0]
    assert "half of R_large, though this is too little" in found.why[1]
    assert resolved_rates(0.001, "auto", TrainSizes({"a": {"a": 900}}, {}, 8, 1)).mini == 0.0005
