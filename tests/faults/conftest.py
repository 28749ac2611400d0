"""Undisturbed results that disturbed ones are held to, made once for all test processes."""

import time
from pathlib import Path

import pytest

from tests.helpers.faulting import at_file_event, finish
from tests.helpers.predicting import command, write_questions
from tests.helpers.sharing import Shared
from tests.helpers.traces import SETTINGS, Training
from tests.helpers.training_examples import TASKS, mixture, sample, save_tiny, training_command


def _train_undisturbed(folder: Path) -> None:
    base = save_tiny("llava", folder / "base")
    data = mixture(folder, [sample(TASKS[number % 4], number) for number in range(30)])
    run = folder / "run"
    line = training_command(run, base, data, **SETTINGS)
    began = time.monotonic()
    said = finish(at_file_event("count", 0, run, line), folder / "printed.txt")
    events = said.rsplit("file events: ", 1)[1].strip()
    (folder / "measured.txt").write_text(f"{time.monotonic() - began} {events}")


@pytest.fixture(scope="session")
def training(shared: Shared) -> Training:
    """Return a training that was done once without any disturbance."""
    folder = shared("undisturbed-training", _train_undisturbed)
    seconds, events = (folder / "measured.txt").read_text().split()
    return Training(folder / "base", folder / "mixture.parquet", folder / "run/model", float(seconds), int(events))


@pytest.fixture(scope="session")
def undisturbed(shared: Shared, training: Training) -> Path:
    """Return a folder with records, the answers to them, how long that took and how many file events it was."""

    def fill(folder: Path) -> None:
        write_questions(folder / "records")
        began = time.monotonic()
        line = at_file_event("count", 0, folder / "run", command(training.model, folder / "records", folder / "run"))
        events = finish(line, folder / "printed.txt").rsplit("file events: ", 1)[1]
        (folder / "measured.txt").write_text(f"{time.monotonic() - began} {events}")

    return shared("undisturbed-answers", fill)
