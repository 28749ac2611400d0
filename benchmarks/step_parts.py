"""Runs a training that builds on transformers' Trainer and notes what the parts of its steps take.

python benchmarks/step_parts.py parts.json SCRIPT_OR_MODULE ARGUMENTS...

Writes milliseconds of the processor an optimiser step, of this process: `all` of the training's loop, and of it `data`,
from reading samples to the batch, `step`, forward and backward, `optimizer`, and `rest`. It needs nothing of visatb, so
that it also runs in the environments of others.
"""

import functools
import json
import runpy
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from transformers import Trainer

PARTS = {"get_batch_samples": "data", "training_step": "step", "_inner_training_loop": "all"}


def timed(owner: type, method: str, used: Callable[[float], None]) -> None:
    """Have a method tell what it used of the processor each time, in seconds."""
    original = getattr(owner, method)

    @functools.wraps(original)
    def measured(*args: Any, **kwargs: Any) -> Any:
        before = time.process_time()
        try:
            return original(*args, **kwargs)
        finally:
            used(time.process_time() - before)

    setattr(owner, method, measured)


def main() -> None:
    """Set the clocks, then run what was named as if it had been started itself."""
    output, program = Path(sys.argv[1]), sys.argv[2]
    spent = dict.fromkeys(("data", "step", "optimizer", "all"), 0.0)
    steps = 0

    def note(part: str, seconds: float) -> None:
        nonlocal steps
        spent[part] += seconds
        steps += part == "optimizer"
        if part == "all":
            taken = {name: 1000 * value / steps for name, value in spent.items()}
            taken["rest"] = 2 * taken["all"] - sum(taken.values())
            output.write_text(json.dumps(taken))

    for method, part in PARTS.items():
        timed(Trainer, method, functools.partial(note, part))
    timed(torch.optim.AdamW, "step", functools.partial(note, "optimizer"))
    sys.argv = sys.argv[2:]
    if program.endswith(".py"):
        sys.path[0] = str(Path(program).parent)
        runpy.run_path(program, run_name="__main__")
    else:
        runpy.run_module(program, run_name="__main__")


if __name__ == "__main__":
    main()
