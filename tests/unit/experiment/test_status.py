"""How far an experiment is, told while others work in its folder."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.config_examples import MODEL_FILE, MODEL_TEXT, config_values
from visatb.experiment.experiment import Experiment
from visatb.experiment.status import status
from visatb.reporting.text.status import status_text
from visatb.runtime.locking import at_work, hold
from visatb.runtime.logs import last_error

HISTORY = [
    {"step": 10, "steps": 40, "loss": 3.0, "samples_per_second": 2.0, "input_tokens_per_second": 900.0, "attempt": 1},
    {"step": 20, "steps": 40, "loss": 2.5, "samples_per_second": 4.0, "input_tokens_per_second": 1500.0, "attempt": 1},
    {"step": 30, "steps": 40, "loss": 2.0, "samples_per_second": 4.0, "input_tokens_per_second": 1500.0, "attempt": 1},
]


@pytest.fixture
def experiment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Experiment:
    monkeypatch.chdir(tmp_path)
    (tmp_path / MODEL_FILE).write_text(MODEL_TEXT)
    return Experiment.from_values(config_values(training={"global_batch_size": 8, "micro_batch_size": 8}))


def begun(experiment: Experiment, run: str) -> Path:
    folder = experiment.folder / "runs" / run
    folder.mkdir(parents=True)
    (folder / "training.jsonl").write_text("\n".join(map(json.dumps, HISTORY)) + '\n{"step": 40, "st')
    return folder


def touch(path: Path, text: str = "") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def words(text: str, run: str) -> str:
    return " ".join(next(line for line in text.splitlines() if line.startswith(f"{run} ")).split()[1:])


def test_nothing_has_begun(experiment: Experiment):
    text = status_text(status(experiment))
    assert text.startswith("small: no snakemake is at work")
    assert words(text, "plus-vqa") == "left left left"
    assert "Trainings: 9 left." in text
    assert "Left to make: plan.tsv, weights.tsv, benchmark.tsv, summary.txt." in text
    assert not experiment.folder.exists(), "looking makes nothing"


def test_done_running_failed_stopped_and_left(experiment: Experiment):
    folder = experiment.folder
    (begun(experiment, "mini") / "model").mkdir()
    begun(experiment, "plus-caption")
    touch(
        folder / "logs/train/plus-bbox.log",
        "[plus-bbox] step 10/40\nTraceback\nValueError: no\nerror: the disk is full\n",
    )
    for task in experiment.tasks:
        touch(folder / f"predictions/mini/val/{task}.parquet")
    touch(folder / "scores/mini/val/vqa.parquet")
    touch(folder / "logs/score/mini.val.bbox.log", "error: bbox: no box\n")
    touch(folder / "plan.tsv")
    running = begun(experiment, "plus-vqa")
    with hold_in_another_process(folder), hold_in_another_process(running):
        text = status_text(status(experiment))
    assert text.startswith("small: process ")
    assert words(text, "mini") == "done done 1/3 failed"
    # 10 steps of 8 samples are left, at the median of 4 samples a second
    assert words(text, "plus-vqa") == "running step 30/40 loss 2.000 1.5k tokens/s ETA 20 s left left"
    assert words(text, "plus-caption") == "stopped at step 30/40 left left"
    assert words(text, "plus-bbox") == "failed left left"
    assert "Trainings: 1 done, 1 running, 1 failed, 1 stopped, 5 left." in text
    assert "results/small/logs/train/plus-bbox.log\n    | error: the disk is full" in text
    assert status_text(status(experiment)).startswith("small: no snakemake"), "the holders have ended"


class hold_in_another_process:  # noqa: N801
    """Let a living process work in a folder."""

    def __init__(self, folder: Path) -> None:
        self._code = (
            f"from visatb.runtime.locking import hold; lock = hold({str(folder)!r}, 'x'); print(1, flush=True); input()"
        )

    def __enter__(self) -> None:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        self._process: subprocess.Popen[str] = subprocess.Popen([sys.executable, "-c", self._code], **pipes)
        assert self._process.stdout
        assert self._process.stdout.readline() == "1\n"

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


def test_looking_takes_no_lock(tmp_path: Path):
    assert at_work(tmp_path / "nowhere") == ""
    assert at_work(tmp_path) == ""
    with hold_in_another_process(tmp_path):
        assert at_work(tmp_path).startswith("process ")
    assert at_work(tmp_path) == "", "a killed owner is at work no more"
    hold(tmp_path, "the next").release()


@pytest.mark.parametrize(
    ("log", "error"),
    [
        ("fine\n[mini] step 3/4\n", ""),
        ("x\nerror: a.json: bad\n  - line 3\n", "error: a.json: bad"),
        ("Traceback (most recent call last):\n  File\ntorch.OutOfMemoryError: CUDA out of memory\n", "torch.OutOf"),
        (
            "error: mine\nE1121 10:00:00.000 7 torch/distributed/elastic/x.py] failed\nChildFailedError: x\n",
            "error: mine",
        ),
        ("", ""),
    ],
)
def test_the_last_error_of_a_log(tmp_path: Path, log: str, error: str):
    touch(tmp_path / "a.log", log)
    found = last_error(tmp_path / "a.log")
    assert found.startswith(error) if error else found == ""
    assert last_error(tmp_path / "none.log") == ""
