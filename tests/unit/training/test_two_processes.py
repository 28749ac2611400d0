"""Two processes (DDP and DeepSpeed's ZeRO over gloo, by torchrun) end where one in float64 does, killed or not."""

import json
import shutil
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from subprocess import Popen
from typing import Any

import psutil
import pytest
from safetensors.torch import save_file

from tests.helpers import train_in_parts, warm
from tests.helpers.reference_training import EPOCHS, TOLERANCE, Reference, hard_samples, train_by_hand
from tests.helpers.training_examples import (
    ROOT,
    machine,
    mixture,
    save_tiny,
    start_training,
    train,
    training_job,
    weights_in,
)
from visatb.errors import VisatbError
from visatb.training.checkpoints import is_intact
from visatb.training.fit import fit

WAYS: dict[str, dict[str, Any]] = {"DDP": {}} | {
    name: {"deepspeed": ROOT / f"config/deepspeed/{name}.json"} for name in ("zero2", "zero3", "zero3_offload")
}
SETTINGS: dict[str, Any] = {"epochs": EPOCHS, "save_steps": 3}


def save_with_hub_names(family: str, folder: Path) -> Path:
    """Save a tiny model with its tensors named as those of the real ones on the hub."""
    save_tiny(family, folder)
    renamed = {
        name.replace("vision_tower.", "vision_tower.vision_model."): value for name, value in weights_in(folder).items()
    }
    save_file(renamed, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def base_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    return cache(lambda family: save_with_hub_names(family, tmp_path_factory.mktemp(family) / "base"))


@pytest.fixture(scope="module")
def reference_of(base_of: Callable[[str], Path]) -> Callable[[str], Reference]:
    return cache(lambda family: train_by_hand(family, base_of(family), hard_samples()))


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return mixture(tmp_path_factory.mktemp("data"), hard_samples())


def kill_after_step_3(process: Popen[str], folder: Path, rank: int | None = None) -> Path:
    """Kill the training, or one rank alone, as soon as the checkpoint of step 3 is whole; return that."""
    deadline = time.monotonic() + 240
    while not (found := [path for path in folder.glob("checkpoints/*/*/checkpoint-3") if is_intact(path)]):
        assert process.poll() is None, process.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    launcher = psutil.Process(warm.fork_of(process.pid) or process.pid)
    ranks = [child for child in launcher.children() if "RANK" in child.environ()]
    warm.kill(process if rank is None else ranks[rank])
    said, _ = process.communicate(timeout=120)
    assert process.returncode != 0, said
    assert not psutil.wait_procs(ranks, timeout=60)[1]
    assert not (folder / "model").exists()
    for later in found[0].parent.glob("checkpoint-[69]"):
        shutil.rmtree(later)
    return found[0]


def go_on_alone(folder: Path, base: Path, data: Path, **changes: Any) -> None:
    fit(training_job(base, epochs=EPOCHS), machine(**changes), data, folder, folder / "model")


def tokens_after_step_3(folder: Path) -> list[float]:
    """Return the tokens of the first step gone on with, and of all others together, from the training's history."""
    lines = [json.loads(line) for line in (folder / "training.jsonl").read_text().splitlines()]
    return [line["tokens"] for line in lines if line["attempt"] == lines[-1]["attempt"]]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "way", "size", "logits"),
    [
        ("qwen2_vl", "DDP", 1, "in parts"),
        ("qwen2_vl", "zero2", 2, "whole"),
        ("qwen2_vl", "zero3", 1, "in parts"),
        ("qwen2_vl", "zero3_offload", 2, "whole"),
        ("llava", "zero3_offload", 1, "in parts"),
    ],
)
def test_two_processes_end_where_the_reference_does(
    tmp_path: Path,
    base_of: Callable[[str], Path],
    reference_of: Callable[[str], Reference],
    data: Path,
    family: str,
    way: str,
    size: int,
    logits: str,
) -> None:
    options = WAYS[way] or {"gradient_checkpointing": True}
    options = options | ({"script": Path(train_in_parts.__file__)} if logits == "in parts" else {})
    said = train(tmp_path, base_of(family), data, micro_batch_size=size, epochs=EPOCHS, processes=2, **options)
    distance = reference_of(family).distance(tmp_path / "model")
    print(f"{family} {way}: {distance:.1e}")
    assert distance < TOLERANCE
    assert weights_in(tmp_path / "model").keys() == weights_in(base_of(family)).keys()
    assert said.count(train_in_parts.SAID) == (2 if logits == "in parts" else 0), said
    assert len(said.splitlines()) < 10, said


@pytest.mark.slow
@pytest.mark.parametrize(("way", "rank"), [("DDP", 0), ("zero2", 1), ("zero3", 0)])
def test_a_rank_is_killed_and_it_ends_as_if_undisturbed(
    tmp_path: Path,
    base_of: Callable[[str], Path],
    reference_of: Callable[[str], Reference],
    data: Path,
    way: str,
    rank: int,
) -> None:
    base, options = base_of("llava"), SETTINGS | WAYS[way] | {"processes": 2, "micro_batch_size": 2}
    undisturbed, killed, alone = (tmp_path / name for name in ("undisturbed", "killed", "alone"))
    train(undisturbed, base, data, **options)
    assert reference_of("llava").distance(undisturbed / "model") < TOLERANCE
    expected = weights_in(undisturbed / "model")
    assert expected.keys() == weights_in(base).keys()

    checkpoint = kill_after_step_3(start_training(killed, base, data, **options), killed, rank)
    shutil.copytree(killed, alone)
    assert f"[mini] goes on from {checkpoint}" in train(killed, base, data, **options)
    found = weights_in(killed / "model")
    assert all(found[name].equal(value) for name, value in expected.items())

    if way == "DDP":
        go_on_alone(alone, base, data)
        assert reference_of("llava").distance(alone / "model") < TOLERANCE
        tokens = reference_of("llava").tokens
        assert tokens_after_step_3(alone) == [tokens[3], sum(tokens[4:])]
        return
    made = rf"checkpoint-3: made by 2 process\(es\) with the DeepSpeed config {way}.json"
    with pytest.raises(VisatbError, match=rf"(?s)started now, without DeepSpeed.*{made}.*or remove the folders"):
        go_on_alone(alone, base, data)
    with pytest.raises(VisatbError, match=rf"(?s)by 1 process\(es\) with the DeepSpeed config {way}.json.*{made}"):
        go_on_alone(alone, base, data, deepspeed=str(WAYS[way]["deepspeed"]))


@pytest.mark.slow
def test_two_processes_go_on_from_one_and_what_has_ended_is_not_repeated(
    tmp_path: Path, base_of: Callable[[str], Path], reference_of: Callable[[str], Reference], data: Path
) -> None:
    base, reference = base_of("llava"), reference_of("llava")
    options = SETTINGS | {"micro_batch_size": 2}
    checkpoint = kill_after_step_3(start_training(tmp_path, base, data, **options), tmp_path)
    assert f"[mini] goes on from {checkpoint}" in train(tmp_path, base, data, processes=2, **options)
    assert reference.distance(tmp_path / "model") < TOLERANCE
    assert tokens_after_step_3(tmp_path) == [reference.tokens[3], sum(reference.tokens[4:])]
    again = train(tmp_path, base, data, processes=2, **options)
    assert again.count("nothing to train") == 1
