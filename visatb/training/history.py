"""What a training tells: progress lines for people, and a history in JSON lines that outlives attempts."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from visatb.runtime.files import told_if_full
from visatb.runtime.progress import Progress, short_count
from visatb.training.history_file import history
from visatb.training.tracking import Tracker


def course(entries: Iterable[Mapping[str, Any]], until: int) -> list[Mapping[str, Any]]:
    """Return the entries of the last training up to step ``until``, each step once, as its last attempt wrote it.

    ``entries``: of a `training.jsonl`, in the order in which they were written, perhaps of several trainings.
    """
    kept: list[Mapping[str, Any]] = []
    before = until + 1
    for entry in reversed(list(entries)):
        if entry.get("step", before) < before:
            kept.append(entry)
            before = entry["step"]
    return kept[::-1]


class History(TrainerCallback):
    """Appends each log to ``path``, shows it to ``trackers``, and now and then prints: run, step, loss, speed, ETA."""

    def __init__(self, path: str | Path, run: str, trackers: Sequence[Tracker] = ()) -> None:
        self._trackers = trackers
        self._path = Path(path)
        self._run = run
        self._attempt = self._last_attempt() + 1
        self._logged = time.monotonic()
        self._last_step = 0
        self._said_something = False
        self._progress: Progress | None = None

    def _last_attempt(self) -> int:
        return max((int(entry.get("attempt", 0)) for entry in history(self._path)), default=0)

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Start the clock at the first step, or at the one resumed from."""
        self._logged, self._last_step = time.monotonic(), state.global_step
        self._progress = Progress(self._run, "step", state.max_steps, done=state.global_step)
        if state.is_world_process_zero:
            earlier = course(history(self._path), state.global_step)
            for tracker in self._trackers:
                tracker.begin(earlier)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Have an attempt's first step logged, that it leaves a trace, and the last one, whatever its number is."""
        if not self._said_something or state.global_step >= state.max_steps:
            control.should_log = True
        self._said_something = True

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """Write the log down, on the first process alone."""
        if not state.is_world_process_zero or not logs or "loss" not in logs:
            return
        now, steps = time.monotonic(), state.global_step - self._last_step
        seconds = max(now - self._logged, 1e-9)
        samples = steps * args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        entry = {
            "step": state.global_step,
            "steps": state.max_steps,
            **{key: logs.get(key) for key in ("epoch", "loss", "learning_rate", "grad_norm", "tokens", "input_tokens")},
            "samples_per_second": round(samples / seconds, 2),
            "tokens_per_second": round(logs["tokens"] / seconds, 1),
            "input_tokens_per_second": round(logs["input_tokens"] / seconds, 1),
            "task_loss": logs["task_loss"],
            "weights": logs["weights"],
            "processes": args.world_size,
            "time": round(time.time(), 1),
            "attempt": self._attempt,
        }
        self._append(entry)
        for tracker in self._trackers:
            tracker.show(entry)
        self._logged, self._last_step = now, state.global_step
        if self._progress:
            speed = short_count(logs["input_tokens"] / seconds)
            self._progress.at(state.global_step, f"loss {logs['loss']:.3f}  {speed} tokens/s")

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Have everything shown."""
        if state.is_world_process_zero:
            for tracker in self._trackers:
                tracker.end()

    def _append(self, entry: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with told_if_full(self._path), self._path.open("ab+") as stream:
            stream.seek(max(0, stream.tell() - 1))
            torn = stream.read(1) not in (b"", b"\n")
            stream.write(b"\n" * torn + json.dumps(entry, allow_nan=False).encode() + b"\n")
