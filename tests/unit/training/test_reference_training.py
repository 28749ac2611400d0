"""One process ends where a training written out in float64 does, however its steps are split."""

from pathlib import Path
from typing import Any

import pytest

from tests.helpers.reference_training import EPOCHS, TOLERANCE, Reference, hard_samples, train_by_hand
from tests.helpers.training_examples import LAMBDAS, machine, mixture, training_job, weights_in
from visatb.training.fit import fit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mixture(tmp_path_factory.mktemp("data"), hard_samples())


@pytest.fixture(scope="module")
def reference(family: str, base: Path) -> Reference:
    return train_by_hand(family, base, hard_samples())


def distance(
    reference: Reference,
    folder: Path,
    base: Path,
    data: Path,
    size: int,
    lambdas: dict[str, float],
    settings: dict[str, Any] | None = None,
    **changes: str,
) -> float:
    job = training_job(base, weights=lambdas, epochs=EPOCHS, **changes)
    fit(job, machine(micro_batch_size=size, **settings or {}), data, folder, folder / "model")
    return reference.distance(folder / "model")


@pytest.mark.parametrize(
    ("size", "settings"), [(4, {}), (2, {}), (1, {}), (4, {"packing": False}), (2, {"packing": False, "workers": 2})]
)
def test_however_a_step_is_split_it_ends_there(
    tmp_path: Path, reference: Reference, base: Path, data: Path, size: int, settings: dict[str, Any]
) -> None:
    # In micro-batches of 2 and 1, many hold a single task or no supervised token; a whole step holds none.
    assert 0 in reference.tokens
    found = distance(reference, tmp_path, base, data, size, LAMBDAS, settings)
    print(f"micro-batches of {size}, {settings}: {found:.1e}")
    assert found < TOLERANCE


def test_other_losses_end_elsewhere(tmp_path: Path, reference: Reference, base: Path, data: Path) -> None:
    equal = distance(reference, tmp_path / "equal", base, data, 4, dict.fromkeys(LAMBDAS, 1.0))
    split = distance(reference, tmp_path / "split", base, data, 2, LAMBDAS, normalization="micro_batch")
    print(f"equal weights: {equal:.2f}, normalised by micro-batch: {split:.2f}")
    assert min(equal, split) > 500 * TOLERANCE


def test_who_makes_micro_batches_changes_no_bit(tmp_path: Path, base: Path, data: Path) -> None:
    models = []
    for workers in (0, 2):
        folder = tmp_path / str(workers)
        fit(training_job(base, epochs=EPOCHS), machine(workers=workers), data, folder, folder / "model")
        models.append(weights_in(folder / "model"))
    assert all(value.equal(models[1][name]) for name, value in models[0].items())
