"""The devices that were asked for are there or it is said; who is asked to leave saves first."""

import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.helpers.training_examples import TASKS, mixture, sample, save_tiny, start_training, train, weights_in
from visatb.errors import VisatbError
from visatb.runtime.processes import TRY_AGAIN, check_devices
from visatb.training.checkpoints import is_intact

SETTINGS: dict[str, Any] = {"micro_batch_size": 2, "epochs": 4, "save_steps": 1000}


def test_missing_gpus_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(VisatbError, match=r"2 GPU\(s\) were asked for on .*, 1 can be seen \(CUDA_VISIBLE_DEVICES=3"):
        check_devices(2)
    with pytest.raises(VisatbError, match=r"4 GPU\(s\) a node .* 2 process\(es\) .* --nproc-per-node 4"):
        check_devices(4)
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    check_devices(2)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "1")
    check_devices(0)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("llava", tmp_path_factory.mktemp("base") / "base")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mixture(tmp_path_factory.mktemp("data"), [sample(TASKS[number % 4], number) for number in range(30)])


@pytest.fixture(scope="module")
def undisturbed(base: Path, data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    folder = tmp_path_factory.mktemp("undisturbed")
    train(folder, base, data, **SETTINGS)
    return weights_in(folder / "model")


@pytest.mark.slow
@pytest.mark.parametrize("asked", [signal.SIGTERM, signal.SIGUSR1, signal.SIGINT])
def test_a_signal_saves_and_leaves_and_nothing_is_lost(
    tmp_path: Path, base: Path, data: Path, undisturbed: dict[str, torch.Tensor], asked: signal.Signals
) -> None:
    process = start_training(tmp_path, base, data, **SETTINGS)
    deadline = time.monotonic() + 120
    while not (tmp_path / "training.jsonl").is_file():  # written at the first step
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(asked)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == TRY_AGAIN, said
    assert "Traceback" not in said
    (saved,) = tmp_path.glob("checkpoints/*/whole/checkpoint-*")
    assert is_intact(saved)
    step = int(saved.name.removeprefix("checkpoint-"))
    assert f"[mini] {asked.name}: saved at step {step} of 32 and stopped; the same command goes on from there" in said
    assert f"goes on from {saved}" in train(tmp_path, base, data, **SETTINGS)
    found = weights_in(tmp_path / "model")
    assert all(torch.equal(found[name], value) for name, value in undisturbed.items())


@pytest.mark.slow
def test_two_processes_that_train_the_same_wait_for_each_other(
    tmp_path: Path, base: Path, data: Path, undisturbed: dict[str, torch.Tensor]
) -> None:
    both = [start_training(tmp_path, base, data, **SETTINGS) for _ in range(2)]
    said = [process.communicate(timeout=120)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("waits: process" in one and "nothing to train" in one for one in said) == 1
    steps = [line for line in (tmp_path / "training.jsonl").read_text().splitlines() if '"step": 32' in line]
    assert len(steps) == 1
    found = weights_in(tmp_path / "model")
    assert all(torch.equal(found[name], value) for name, value in undisturbed.items())
