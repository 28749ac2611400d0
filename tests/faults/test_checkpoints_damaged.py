"""A checkpoint that is damaged in whatever way is told, passed over, and the one before is gone on from."""

import os
import random
import shutil
from pathlib import Path

import pytest

from tests.helpers.faulting import assert_same_files, finish, seeds, started
from tests.helpers.sharing import Shared
from tests.helpers.traces import SETTINGS, Training, history, whole_checkpoint
from visatb.training.checkpoints import defect, is_intact, mark_complete

DAMAGES = ("cut short", "empty", "missing", "a bit flipped", "mark missing", "mark cut short")


def harm(draw: random.Random, checkpoint: Path, damage: str) -> Path:
    """Damage one file of a checkpoint, drawn among all of them, and return which."""
    files = sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.stat().st_size)
    mark = checkpoint / "complete.json"
    victim = mark if damage.startswith("mark") else draw.choice([path for path in files if path != mark])
    if damage.endswith("missing"):
        victim.unlink()
    elif damage == "a bit flipped":
        content = bytearray(victim.read_bytes())
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        victim.write_bytes(content)
    else:
        os.truncate(victim, 0 if damage == "empty" else draw.randrange(victim.stat().st_size))
    return victim


@pytest.fixture(scope="session")
def interrupted(shared: Shared, training: Training) -> Path:
    """Return the folder of a training that was killed with two checkpoints on disk."""

    def fill(folder: Path) -> None:
        with started(training.command(folder / "run"), folder / "printed.txt") as trainer:
            assert trainer.wait_for(lambda: whole_checkpoint(folder / "run") >= 9)

    return shared("interrupted-training", fill) / "run"


@pytest.mark.slow
@seeds(2)
def test_the_one_before_is_gone_on_from(tmp_path: Path, training: Training, interrupted: Path, seed: int) -> None:
    draw = random.Random(seed)
    folder = tmp_path / "run"
    shutil.copytree(interrupted, folder)
    newest = whole_checkpoint(folder)
    (checkpoint,) = folder.glob(f"checkpoints/*/whole/checkpoint-{newest}")
    damage = draw.choice(DAMAGES)
    victim = harm(draw, checkpoint, damage)
    print(f"{victim.relative_to(folder)}: {damage}")
    lines = len(history(folder))
    said = finish(training.command(folder), tmp_path / "printed.txt")
    reason = f"damaged ({victim.name})" if damage == "a bit flipped" else "not whole"
    assert f"[mini] {checkpoint}: {reason}, skipped and removed\n" in said
    before = newest - SETTINGS["save_steps"]
    assert f"[mini] goes on from {checkpoint.with_name(f'checkpoint-{before}')}\n" in said
    assert history(folder)[lines]["step"] == before + 1
    assert_same_files(folder / "model", training.model)


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_of_any_file_is_seen(tmp_path: Path, interrupted: Path, damage: str) -> None:
    newest = whole_checkpoint(interrupted)
    (source,) = interrupted.glob(f"checkpoints/*/whole/checkpoint-{newest}")
    for seed in range(12):
        checkpoint = shutil.copytree(source, tmp_path / str(seed))
        assert defect(checkpoint) == ""
        victim = harm(random.Random(seed), checkpoint, damage)
        assert defect(checkpoint), f"seed {seed}: {victim.name}"
        assert is_intact(checkpoint) == (damage == "a bit flipped")


def test_damage_in_any_piece_of_a_large_file_is_seen(tmp_path: Path) -> None:
    large = tmp_path / "model.safetensors"
    with large.open("wb") as stream:
        stream.truncate(150 * 2**20)
    mark_complete(tmp_path)
    assert defect(tmp_path) == ""
    for place in (0, 64 * 2**20 - 1, 64 * 2**20, 150 * 2**20 - 1):
        with large.open("r+b") as stream:
            stream.seek(place)
            stream.write(b"\1")
        assert defect(tmp_path) == "damaged (model.safetensors)"
        with large.open("r+b") as stream:
            stream.seek(place)
            stream.write(b"\0")
    assert defect(tmp_path) == ""


@pytest.mark.slow
def test_a_finished_model_that_was_damaged_is_made_again(tmp_path: Path, training: Training, interrupted: Path) -> None:
    folder = tmp_path / "run"
    shutil.copytree(interrupted, folder)
    finish(training.command(folder), tmp_path / "printed.txt")
    (finished,) = folder.glob("checkpoints/*/finished/model.safetensors")
    content = bytearray(finished.read_bytes())
    content[len(content) // 2] ^= 1
    finished.write_bytes(content)
    said = finish(training.command(folder), tmp_path / "printed.txt")
    assert f"{finished.parent}: damaged (model.safetensors), trained again\n" in said
    assert_same_files(folder / "model", training.model)
