"""A disk that is full: it is said which, what was whole stays, and with more room the same command goes on."""

import random
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.helpers.faulting import assert_same_files, at_file_event, finish, seeds, started
from tests.helpers.predicting import command as prediction
from tests.helpers.predicting import shards
from tests.helpers.traces import Training, history, whole_checkpoint

Disk = Callable[[str], Path]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """Return a function that mounts a file system in memory of a given size, or changes the size of the one there."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        again = "remount," if folder.is_mount() else ""
        line = ["mount", "-t", "tmpfs", "-o", f"{again}{options}", "tmpfs", str(folder)]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
        return folder

    if shutil.which("mount") is None:
        pytest.skip("there is no mount command")
    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def refused(line: list[str], printed: Path, names: str) -> str:
    """Run a command that meets a full disk, see that it says so and leaves, and return what it said."""
    with started(line, printed) as one:
        assert one.end() == 1, one.said
        said = one.said
    assert "Traceback" not in said, said
    told = rf"^error: {names}.*could not be written .*[0-9.]+ [MG]B are free in /.*give the same"
    assert re.search(told, said, re.M), said
    return said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "size", "save_steps", "kept"),
    # A checkpoint has 15 MB, the model 5: the second checkpoint does not fit, or the model beside the last checkpoint.
    [("checkpoint-6", "21m", 3, 3), ("last", "17m", 1000, 24)],
)
def test_while_a_checkpoint_or_the_model_is_saved(
    tmp_path: Path, small_disk: Disk, training: Training, what: str, size: str, save_steps: int, kept: int
) -> None:
    folder, printed = small_disk(f"size={size}") / "run", tmp_path / "printed.txt"
    line = training.command(folder, save_steps=save_steps)
    refused(line, printed, rf"{folder}/checkpoints/\w+/(whole/)?{what}: ")
    assert whole_checkpoint(folder) == kept
    assert not (folder / "model").exists()
    small_disk("size=200m")
    said = finish(line, printed)
    assert f"checkpoint-{kept}\n" in said
    assert_same_files(folder / "model", training.model)


@pytest.mark.slow
@seeds(1)
def test_at_any_change_of_the_run_folder(tmp_path: Path, training: Training, seed: int) -> None:
    number = random.Random(seed).randint(1, training.file_events)
    folder, printed = tmp_path / "run", tmp_path / "printed.txt"
    print(f"full from file event {number} on")
    with started(at_file_event("full", number, folder, training.command(folder)), printed) as trainer:
        status, said = trainer.end(), trainer.said
    assert "Traceback" not in said
    assert re.search(rf"^error: .*{folder}.*room", said, re.M) if status else (folder / "model").is_dir(), said
    before, lines = whole_checkpoint(folder), len(history(folder))
    finish(training.command(folder), printed)
    assert [line["step"] for line in history(folder)[lines:][:1]] in ([], [before + 1])
    assert_same_files(folder / "model", training.model)


@pytest.mark.slow
def test_while_answers_are_saved(tmp_path: Path, small_disk: Disk, training: Training, undisturbed: Path) -> None:
    pages = sum(-(-path.stat().st_size // 4096) for path in (undisturbed / "run/shards").rglob("*.parquet"))
    folder, printed = small_disk(f"size={4 * (pages // 2)}k") / "run", tmp_path / "printed.txt"
    line = prediction(training.model, undisturbed / "records", folder)
    refused(line, printed, str(folder))
    saved = shards(folder)
    assert saved
    small_disk("size=10m")
    finish(line, printed)
    assert {path: found for path, found in shards(folder).items() if path in saved} == saved
    assert_same_files(folder / "out", undisturbed / "run/out")
