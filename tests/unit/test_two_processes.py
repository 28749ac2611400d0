"""Several processes learn what one does: DDP and DeepSpeed's ZeRO over gloo, started by torchrun."""

from pathlib import Path

import pytest
from training_examples import ROOT, TASKS, mixture, sample, save_tiny, train, weights_in

ZERO = ROOT / "config/deepspeed"


def apart(start: Path, one: Path, other: Path) -> float:
    """Return how far two trained models lie apart, relative to how far the first one has moved."""
    first, found, expected = weights_in(start), weights_in(other), weights_in(one)
    moved = sum((expected[name] - first[name]).double().square().sum() for name in first) ** 0.5
    assert moved > 0.1
    return float(sum((expected[name] - found[name]).double().square().sum() for name in first) ** 0.5 / moved)


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
    # With 18 samples the last step of an epoch holds two, which leaves the second process repeats alone. A quarter
    # of the samples has no image: at one a micro-batch, one process often has an image where the other has none.
    samples = [sample(TASKS[number % 4], number) for number in range(18)]
    base, data = save_tiny(family, tmp_path / "base"), mixture(tmp_path, samples)
    train(tmp_path / "one", base, data, micro_batch_size=4, epochs=2)
    said = train(tmp_path / "two", base, data, micro_batch_size=1, epochs=2, processes=2, **sharding)
    assert apart(base, tmp_path / "one/model", tmp_path / "two/model") < 1e-4
    again = train(tmp_path / "two", base, data, micro_batch_size=1, epochs=2, processes=2, **sharding)
    assert again.count("nothing to train") == 1
    assert "nothing to train" not in said
