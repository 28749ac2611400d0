"""Several processes learn what one does: DDP and DeepSpeed's ZeRO over gloo, started by torchrun."""

from pathlib import Path

import pytest
import torch
from training_examples import ROOT, TASKS, mixture, sample, save_tiny, train

from visatb.training.models import load_model

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
    ("family", "sharding"),
    [
        ("llava", {}),
        ("qwen2_vl", {"gradient_checkpointing": True}),
        ("llava", {"deepspeed": ZERO / "zero2.json"}),
        ("llava", {"deepspeed": ZERO / "zero3.json"}),
    ],
)
def test_two_processes_learn_what_one_does(tmp_path: Path, family: str, sharding: dict[str, Path]) -> None:
    # With 17 samples the last step of an epoch holds one, which leaves the second process a repeat alone. A quarter
    # of the samples has no image: at one a micro-batch, one process often has an image where the other has none.
    samples = [sample(TASKS[number % 4], number) for number in range(17)]
    base, data = save_tiny(family, tmp_path / "base"), mixture(tmp_path, samples)
    train(tmp_path / "one", base, data, micro_batch_size=4, epochs=2)
    said = train(tmp_path / "two", base, data, micro_batch_size=1, epochs=2, processes=2, **sharding)
    distance = apart(base, tmp_path / "one/model", tmp_path / "two/model")
    print(f"{family} {sharding}: {distance:.1e}")
    assert distance < 5e-5
    again = train(tmp_path / "two", base, data, micro_batch_size=1, epochs=2, processes=2, **sharding)
    assert again.count("nothing to train") == 1
    assert "nothing to train" not in said
