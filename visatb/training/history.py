"""What a training tells while it runs: lines for people on stderr, and a history in JSON lines that outlives attempts."""

import json
import sys
import time
from pathlib import Path
from typing import Any

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments


def duration(seconds: float) -> str:
    """Return seconds in the unit people would use: ``42 s``, ``7 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class History(TrainerCallback):
    """Appends each log to ``path`` and now and then prints one line: run, step, loss, ETA, speed."""

    def __init__(self, path: str | Path, run: str, seconds_between_lines: float = 10.0) -> None:
        self._path = Path(path)
        self._run = run
        self._pause = seconds_between_lines
        self._attempt = self._last_attempt() + 1
        self._started = self._logged = self._printed = time.monotonic()
        self._first_step = self._last_step = 0

    def _last_attempt(self) -> int:
        if not self._path.is_file():
            return 0
        attempts = [0]
        for line in self._path.read_text(encoding="utf-8").splitlines():
            try:
                attempts.append(json.loads(line)["attempt"])
            except (json.JSONDecodeError, KeyError):
                continue  # a line cut short by a kill
        return max(attempts)

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock at the first step, or at the one resumed from."""
        self._started = self._logged = self._printed = time.monotonic()
        self._first_step = self._last_step = state.global_step

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
        now = time.monotonic()
        seconds, steps = max(now - self._logged, 1e-9), state.global_step - self._last_step
        samples = steps * args.train_batch_size * args.gradient_accumulation_steps * args.world_size
        self._append(
            {
                "step": state.global_step,
                "steps": state.max_steps,
                **{key: logs.get(key) for key in ("epoch", "loss", "learning_rate", "grad_norm", "tokens")},
                "samples_per_second": round(samples / seconds, 2),
                "tokens_per_second": round(logs["tokens"] / seconds, 1),
                "task_loss": logs["task_loss"],
                "weights": logs["weights"],
                "attempt": self._attempt,
            }
        )
        self._logged, self._last_step = now, state.global_step
        if now - self._printed >= self._pause or state.global_step == state.max_steps:
            self._printed = now
            self._say(state, logs["loss"], samples / seconds)

    def _append(self, entry: dict[str, Any]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(entry) + "\n")

    def _say(self, state: TrainerState, loss: float, samples_per_second: float) -> None:
        done = state.global_step - self._first_step
        left = (time.monotonic() - self._started) / max(done, 1) * (state.max_steps - state.global_step)
        print(
            f"[{self._run}] step {state.global_step}/{state.max_steps}  loss {loss:.3f}  "
            f"ETA {duration(left)}  {samples_per_second:.0f} samples/s",
            file=sys.stderr,
            flush=True,
        )
