"""What of an experiment is done, running, failed or left, read from its files; nothing is locked or changed."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Literal

from visatb.evaluation.zero_shot.plan import benchmarks, methods
from visatb.experiment.experiment import Experiment
from visatb.experiment.runs import Run
from visatb.runtime.locking import at_work
from visatb.runtime.logs import last_error
from visatb.training.history_file import history

State = Literal["done", "running", "failed", "stopped", "left"]
STATES: tuple[State, ...] = ("done", "running", "failed", "stopped", "left")
LAST_SPEEDS = 5
TABLES = ("plan.tsv", "weights.tsv", "benchmark.tsv", "zero_shot.tsv", "summary.txt")


@dataclass(frozen=True)
class Training:
    """How far a training is.

    Attributes:
        state: ``stopped`` has begun and will go on; ``left`` has not begun.
        step: of the last line of its history, 0 without one.
        steps: of the whole training, 0 while they are not known.
        seconds_left: None while nothing tells.
        loss: of the last line.
        tokens_per_second: of the last lines.
    """

    state: State
    step: int = 0
    steps: int = 0
    seconds_left: float | None = None
    loss: float | None = None
    tokens_per_second: float | None = None


@dataclass(frozen=True)
class Count:
    """How many of some files are there, and what is with the others."""

    state: State
    done: int
    total: int


@dataclass(frozen=True)
class RunStatus:
    """A run's training, None for a model that is scored as it is, and its answers and scores on val and test."""

    run: str
    training: Training | None
    answers: Count
    scores: Count


@dataclass(frozen=True)
class Status:
    """An experiment at a moment.

    Attributes:
        experiment: its name.
        at_work: which process runs it, or nothing.
        runs: in the order of the plan.
        zero_shot: scores of zero-shot benchmarks, None without any.
        tables: table -> whether it is there; those that belong to the experiment.
        failed: log file -> its last error line, of jobs whose last attempt failed.
    """

    experiment: str
    at_work: str
    runs: list[RunStatus]
    zero_shot: Count | None
    tables: dict[str, bool]
    failed: dict[str, str]

    def trainings(self) -> dict[State, int]:
        """Return state -> number of trainings."""
        states = [run.training.state for run in self.runs if run.training]
        return {state: states.count(state) for state in STATES}


def status(experiment: Experiment) -> Status:
    """Read how far an experiment is. Files tell what is there, not whether a changed config would make it anew."""
    folder = experiment.folder
    failed = dict(_failed(folder / "logs"))
    tables = [name for name in TABLES if name != "zero_shot.tsv" or benchmarks(experiment.config)]
    return Status(
        experiment.name,
        at_work(folder),
        [_run(experiment, run, failed) for run in experiment.runs.values()],
        _zero_shot(experiment, failed),
        {name: (folder / name).is_file() for name in tables},
        failed,
    )


def _failed(logs: Path) -> Iterator[tuple[str, str]]:
    for log in sorted(logs.rglob("*.log")):
        if error := last_error(log):
            yield str(log), error


def _run(experiment: Experiment, run: Run, failed: dict[str, str]) -> RunStatus:
    folder = experiment.folder
    names = [f"{run.name}/{split}/{task}" for split, tasks in run.evaluates.items() for task in tasks]
    answers = [folder / "predictions" / f"{name}.parquet" for name in names]
    answering = [
        folder / "runs" / run.name / "answers" / task / split
        for split, tasks in run.evaluates.items()
        for task in tasks
    ]
    return RunStatus(
        run.name,
        _training(experiment, run.name, failed) if run.is_trained else None,
        _count(answers, any(at_work(path) for path in answering), _has_failed(failed, folder, "predict", run)),
        _count(
            [folder / "scores" / f"{name}.parquet" for name in names],
            False,
            _has_failed(failed, folder, "score", run) or _has_failed(failed, folder, "judge", run),
        ),
    )


def _has_failed(failed: dict[str, str], folder: Path, rule: str, run: Run) -> bool:
    """Return whether a job of a rule failed, which is of all tasks of a run and split, or of one of them."""
    jobs = [(split, *task) for split, tasks in run.evaluates.items() for task in [(), *((task,) for task in tasks)]]
    logs = folder / "logs" / rule
    return any(str(logs / f"{'.'.join((run.name, *job))}.log") in failed for job in jobs)


def _count(files: list[Path], is_running: bool, has_failed: bool) -> Count:
    done = sum(file.is_file() for file in files)
    if done == len(files):
        return Count("done", done, done)
    return Count("running" if is_running else "failed" if has_failed else "left", done, len(files))


def _zero_shot(experiment: Experiment, failed: dict[str, str]) -> Count | None:
    folder = experiment.folder / "zero_shot"
    scores = [
        folder / run / f"{benchmark.name}.json"
        for run in methods(experiment.config)
        for benchmark in benchmarks(experiment.config)
    ]
    return _count(scores, False, any("zero_shot" in log for log in failed)) if scores else None


def _training(experiment: Experiment, run: str, failed: dict[str, str]) -> Training:
    folder = experiment.folder / "runs" / run
    is_done, is_running = (folder / "model").is_dir(), bool(at_work(folder))
    path = folder / "training.jsonl"
    entries = [entry for entry in history(path) if {"step", "steps"} <= entry.keys()]
    if is_done:
        state: State = "done"
    elif is_running:
        state = "running"
    elif str(experiment.folder / "logs" / "train" / f"{run}.log") in failed:
        state = "failed"
    else:
        state = "stopped" if entries else "left"
    return _progress(state, entries, experiment.config.training.global_batch_size) if entries else Training(state)


def _progress(state: State, entries: list[dict[str, Any]], samples_a_step: int) -> Training:
    last = entries[-1]
    recent = [entry for entry in entries[-LAST_SPEEDS:] if entry.get("attempt") == last.get("attempt")]
    speeds = [entry["samples_per_second"] for entry in recent if entry.get("samples_per_second")]
    tokens = [entry["input_tokens_per_second"] for entry in recent if entry.get("input_tokens_per_second")]
    left = (last["steps"] - last["step"]) * samples_a_step
    return Training(
        state,
        last["step"],
        last["steps"],
        left / median(speeds) if speeds and state == "running" else None,
        last.get("loss"),
        median(tokens) if tokens else None,
    )
