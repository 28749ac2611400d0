"""Weights that follow the losses of all processes: two over gloo, plain and under ZeRO-3, move as one does."""

import json
from pathlib import Path

import pytest
import torch

from tests.helpers.methods import method_of
from tests.helpers.training_examples import ROOT, TASKS, mixture, sample, save_tiny, train
from visatb.models.families import load_model

ZERO = ROOT / "config/deepspeed"


def apart(start: Path, one: Path, other: Path) -> float:
    """Return how far two trained models lie apart, relative to how far the first one has moved.

    Of parameters that the model never uses, as LLaVA's last vision layer, ZeRO lets the weights decay: they are
    left out.
    """
    first, expected, found = (load_model(path, torch.float32).state_dict() for path in (start, one, other))
    used = [name for name in first if not torch.equal(first[name], expected[name])]
    moved = sum((expected[name] - first[name]).double().square().sum() for name in used) ** 0.5
    assert moved > 0.1
    return float(sum((expected[name] - found[name]).double().square().sum() for name in used) ** 0.5 / moved)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "sharding"), [("dwa", {}), ("igbv1", {}), ("igbv1", {"deepspeed": ZERO / "zero3.json"})]
)
def test_weights_that_follow_losses_are_the_same_on_two_processes(
    tmp_path: Path, method: str, sharding: dict[str, Path]
) -> None:
    samples = [sample(TASKS[number % 4], number) for number in range(17)]
    base, data = save_tiny("llava", tmp_path / "base"), mixture(tmp_path, samples)
    groups = {"caption": ("caption",), "rest": ("vqa", "ocr")}
    moving = method_of(method, groups, dwa_window=3, igbv1_first_step=2, igbv1_last_step=5)
    options = {"epochs": 3, "method": moving}
    train(tmp_path / "one", base, data, micro_batch_size=4, **options)
    train(tmp_path / "two", base, data, micro_batch_size=1, processes=2, **options, **sharding)
    one, two = (
        json.loads((tmp_path / name / "training.jsonl").read_text().splitlines()[-1]) for name in ("one", "two")
    )
    assert one["weights"] == pytest.approx(two["weights"], rel=1e-4)
    assert one["weights"]["caption"] != 1
    assert one["weights"]["vqa"] == one["weights"]["ocr"] == pytest.approx(2 - one["weights"]["caption"])
    assert apart(base, tmp_path / "one/model", tmp_path / "two/model") < 1e-4
