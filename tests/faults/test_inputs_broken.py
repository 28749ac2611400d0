"""An image or a mixture that breaks after all was checked: its name is told, and mended, the same command goes on."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.faulting import assert_same_files, finish, started
from tests.helpers.predicting import command as prediction
from tests.helpers.predicting import shards
from tests.helpers.traces import Training, history, whole_checkpoint
from tests.helpers.training_examples import TASKS, mixture, sample
from visatb.runtime.files import write_parquet


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


BREAKS: dict[str, Callable[[Path], None]] = {"cut short": cut, "deleted": Path.unlink}


def refused(line: list[str], printed: Path, path: Path) -> None:
    """Run a command that meets the broken file ``path`` and see that it says so, and what to do."""
    with started(line, printed) as one:
        assert one.end() == 1, one.said
        check_told(one.said, path)


def check_told(said: str, path: Path) -> None:
    """See that one line says what is broken, and how to mend it."""
    assert "Traceback" not in said, said
    (told,) = [line for line in said.splitlines() if line.startswith("error: ")]
    assert told.startswith(f"error: {path}: ")
    assert "give the same command again" in told


@pytest.mark.slow
@pytest.mark.parametrize("how", BREAKS)
def test_an_image_in_the_middle_of_a_training(tmp_path: Path, training: Training, how: str) -> None:
    (tmp_path / "data").mkdir()
    data = mixture(tmp_path / "data", [sample(TASKS[number % 4], number) for number in range(30)])
    here = Training(training.base, data, training.model, training.seconds, training.file_events)
    folder, printed = tmp_path / "run", tmp_path / "printed.txt"
    image = tmp_path / "data" / f"{random.Random(how).choice([n for n in range(30) if TASKS[n % 4] != 'text'])}.png"
    content = image.read_bytes()
    with started(here.command(folder), printed) as trainer:
        # Every image is met once an epoch, of which there are three.
        assert trainer.wait_for(lambda: whole_checkpoint(folder) >= 3)
        BREAKS[how](image)
        assert trainer.end() == 1, trainer.said
        check_told(trainer.said, image)
    kept, lines = whole_checkpoint(folder), len(history(folder))
    assert kept >= 3
    image.write_bytes(content)
    finish(here.command(folder), printed)
    assert history(folder)[lines]["step"] == kept + 1
    assert_same_files(folder / "model", training.model)


@pytest.mark.slow
@pytest.mark.parametrize("how", ["cut short", "empty", "deleted", "a bit flipped"])
def test_a_mixture(tmp_path: Path, training: Training, how: str) -> None:
    data = tmp_path / "mixture.parquet"
    content = training.mixture.read_bytes()
    changed = bytearray(content)
    changed[len(changed) // 3] ^= 16
    if how != "deleted":
        data.write_bytes({"cut short": content[:-100], "empty": b"", "a bit flipped": bytes(changed)}[how])
    here = Training(training.base, data, training.model, training.seconds, training.file_events)
    refused(here.command(tmp_path / "run"), tmp_path / "printed.txt", data)


@pytest.mark.slow
def test_an_image_while_predicting(tmp_path: Path, training: Training, undisturbed: Path) -> None:
    # Its own copy of the records, whose images are elsewhere.
    records = tmp_path / "records"
    for source in (undisturbed / "records").glob("*/val.parquet"):
        table = pq.read_table(source)
        rows = table.to_pylist()
        for row in rows:
            row["image"] = row["image"].replace(str(undisturbed), str(tmp_path))
        write_parquet(records / source.parent.name / "val.parquet", pa.Table.from_pylist(rows, schema=table.schema))
    for image in (undisturbed / "records").glob("*.png"):
        (records / image.name).write_bytes(image.read_bytes())
    broken = records / "vqa-17.png"
    content = broken.read_bytes()
    cut(broken)
    line = prediction(training.model, records, tmp_path / "run")
    refused(line, tmp_path / "printed.txt", broken)
    saved = shards(tmp_path / "run")
    assert saved
    broken.write_bytes(content)
    finish(line, tmp_path / "printed.txt")
    assert {path: found for path, found in shards(tmp_path / "run").items() if path in saved} == saved
    for task in ("vqa", "caption"):
        answers = [pq.read_table(one / f"out/{task}.parquet") for one in (tmp_path / "run", undisturbed / "run")]
        assert answers[0].drop_columns("image").equals(answers[1].drop_columns("image"))
