"""Two ranks, one of which is killed or asked to leave: none is left behind, and the end is the undisturbed one."""

import random
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.faulting import Started, assert_same_files, finish, seeds, started
from tests.helpers.sharing import Shared
from tests.helpers.traces import (
    STEPS,
    Training,
    check_what_is_lost,
    check_where_it_went_on,
    history,
    is_finished,
    whole_checkpoint,
)
from tests.helpers.training_examples import ROOT

LAYOUTS: dict[str, dict[str, Any]] = {
    "ddp": {"processes": 2, "micro_batch_size": 1},
    "zero2": {"processes": 2, "micro_batch_size": 1, "deepspeed": ROOT / "config/deepspeed/zero2.json"},
}


def undisturbed(shared: Shared, training: Training, layout: str) -> Path:
    """Return the model that two ranks make without disturbance. That it is one rank's is seen in test_two_processes."""

    def fill(folder: Path) -> None:
        finish(training.command(folder / "run", **LAYOUTS[layout]), folder / "printed.txt")

    return shared(f"undisturbed-{layout}", fill) / "run/model"


def wait_for_two(trainer: Started) -> None:
    deadline = time.monotonic() + 120
    while len(trainer.ranks()) < 2:
        assert trainer.running(), trainer.said
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize("layout", LAYOUTS)
@seeds(1)
def test_one_of_two_ranks_killed(tmp_path: Path, training: Training, shared: Shared, layout: str, seed: int) -> None:
    expected = undisturbed(shared, training, layout)
    draw = random.Random(f"{layout} {seed}")
    folder, printed = tmp_path / "run", tmp_path / "printed.txt"
    line = training.command(folder, **LAYOUTS[layout])
    with started(line, printed) as trainer:
        wait_for_two(trainer)
        kind = draw.choice(("any moment", "training", "checkpoint", "model"))
        signs = {
            "training": lambda: history(folder),
            "checkpoint": lambda: any(folder.glob(f"checkpoints/*/*/checkpoint-{draw_step}")),
            "model": lambda: any(folder.glob("checkpoints/*/last")),
        }
        draw_step = draw.randrange(3, STEPS + 1, 3)
        if kind in signs:
            trainer.wait_for(signs[kind])
        pause = draw.uniform(0, {"any moment": 2 * training.seconds, "training": 3}.get(kind, 0.3))
        time.sleep(pause)
        rank = draw.randrange(2)
        alive = trainer.ranks()
        print(f"{kind}: rank {rank} killed {pause:.3f} s after the sign; {len(alive)} ranks were alive")
        if len(alive) == 2:
            alive[rank].kill()
        status = trainer.end()
        assert trainer.everybody() == [], "the launcher has left a rank behind"
    assert status != 0 or (folder / "model").is_dir()
    check_what_is_lost(folder)
    before, finished, lines = whole_checkpoint(folder), is_finished(folder), len(history(folder))
    said = finish(line, printed)
    check_where_it_went_on(said, before, finished, history(folder)[lines:])
    assert_same_files(folder / "model", expected)


@pytest.mark.slow
@seeds(1)
def test_one_of_two_ranks_asked_to_leave_and_both_do(
    tmp_path: Path, training: Training, shared: Shared, seed: int
) -> None:
    draw = random.Random(seed)
    asked, rank = draw.choice((signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)), draw.randrange(2)
    folder, printed = tmp_path / "run", tmp_path / "printed.txt"
    line = training.command(folder, **LAYOUTS["ddp"] | {"save_steps": 1000})
    with started(line, printed) as trainer:
        wait_for_two(trainer)
        assert trainer.wait_for(lambda: history(folder))
        print(f"{asked.name} to rank {rank}")
        trainer.ranks()[rank].send_signal(asked)
        assert trainer.end() != 0
        assert trainer.everybody() == []
        said = trainer.said
    (step,) = re.findall(rf"\[mini\] {asked.name}: saved at step (\d+) of {STEPS} and stopped", said)
    assert whole_checkpoint(folder) == int(step)
    assert set(re.findall(r"exitcode\s*: (-?\d+)", said)) == {"75"}, said
    said = finish(line, printed)
    assert f"checkpoint-{step}\n" in said
    assert_same_files(folder / "model", undisturbed(shared, training, "ddp"))
