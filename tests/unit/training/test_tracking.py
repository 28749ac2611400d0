"""TensorBoard files say what the history says, each step once, however often the training was interrupted."""

import json
import struct
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event
from transformers import TrainerControl, TrainerState, TrainingArguments

from visatb.runtime.progress import Progress
from visatb.training.history import History, course
from visatb.training.history_file import history
from visatb.training.tracking import TensorBoard, WandbProject, wandb_project


def events(folder: Path) -> list[tuple[str, int, float]]:
    """Read event files as the format says: length, its checksum, the event, its checksum; in the order written."""
    found = []
    for path in sorted(folder.glob("events.*")):
        data, at = path.read_bytes(), 0
        while at < len(data):
            (length,) = struct.unpack_from("<Q", data, at)
            event = Event.FromString(data[at + 12 : at + 12 + length])
            found += [(value.tag, event.step, value.simple_value) for value in event.summary.value]
            at += length + 16
    return found


def train(folder: Path, resumed_at: int, until: int, loss: float) -> None:
    """Go through the calls of a training that logs every step."""
    shown = History(folder / "training.jsonl", "mini", [TensorBoard(folder / "tensorboard", "mini")])
    arguments = TrainingArguments(output_dir=str(folder), report_to=[], use_cpu=True)
    state = TrainerState(global_step=resumed_at, max_steps=9, is_world_process_zero=True)
    shown.on_train_begin(arguments, state, TrainerControl())
    for step in range(resumed_at + 1, until + 1):
        state.global_step = step
        logs: dict[str, Any] = {"loss": loss + step, "tokens": 8.0, "input_tokens": 90, "learning_rate": 0.1}
        logs |= {"task_loss": {"vqa": 2.0}, "weights": {"vqa": 1.5, "ocr": 0.5}}
        shown.on_log(arguments, state, TrainerControl(), logs=logs)
    shown.on_train_end(arguments, state, TrainerControl())


def test_steps_that_are_done_again_are_shown_once(tmp_path: Path):
    train(tmp_path, 0, 6, loss=10)
    train(tmp_path, 4, 5, loss=20)  # a kill at step 6, back to the checkpoint of step 4; another kill
    train(tmp_path, 4, 9, loss=30)
    found = events(tmp_path / "tensorboard")
    assert [(step, loss) for tag, step, loss in found if tag == "loss"] == [
        *((step, 10 + step) for step in range(1, 5)),
        *((step, 30 + step) for step in range(5, 10)),
    ]
    assert {tag for tag, _, _ in found} >= {"task_loss/vqa", "weights/vqa", "weights/ocr", "input_tokens_per_second"}
    last = list(history(tmp_path / "training.jsonl"))[-1]
    assert (last["attempt"], last["processes"], last["input_tokens"]) == (3, 1, 90)


def test_another_training_of_the_run_begins_a_page_of_its_own(tmp_path: Path):
    train(tmp_path, 0, 6, loss=10)
    train(tmp_path, 0, 2, loss=20)
    assert [(step, loss) for tag, step, loss in events(tmp_path / "tensorboard") if tag == "loss"] == [(1, 21), (2, 22)]
    train(tmp_path, 2, 3, loss=30)
    lines = course(history(tmp_path / "training.jsonl"), until=2)
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 21), (2, 22)]


def test_without_tensorboardx_a_training_goes_on_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    train(tmp_path, 0, 2, loss=10)
    assert not (tmp_path / "tensorboard").exists()
    assert len(list(history(tmp_path / "training.jsonl"))) == 2
    assert "tensorboardX is not installed" in capfd.readouterr().err


def test_a_log_file_is_not_flooded(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]):
    clock = [0.0]
    monkeypatch.setattr("visatb.runtime.progress.time.monotonic", lambda: clock[0])
    monkeypatch.delenv("VISATB_PROGRESS_FD", raising=False)

    def lines(seconds_a_step: float, steps: int = 20_000) -> int:
        progress = Progress("mini", "step", steps)
        for step in range(1, steps + 1):
            clock[0] += seconds_a_step
            progress.at(step, "loss 1.0")
        return len(capfd.readouterr().err.splitlines())

    assert lines(0.01) == 4  # 200 s: one a minute and the last
    assert 90 <= lines(10) <= 101  # 55 hours


def test_the_project_on_weights_and_biases_is_no_parameter_of_the_job(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("VISATB_UNTRACKED", raising=False)
    assert wandb_project() is None
    told = {"judge": {}, "tracking": {"project": "mine", "entity": None, "experiment": "demo"}}
    monkeypatch.setenv("VISATB_UNTRACKED", json.dumps(told))
    assert wandb_project() == WandbProject("mine", None, "demo")
