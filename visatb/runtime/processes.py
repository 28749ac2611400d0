"""The processes of one training: how many there are, on what devices, whose turn it is, and when they must leave."""

import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from visatb.errors import VisatbError
from visatb.runtime.devices import computes_on_cpu
from visatb.runtime.locking import alone_in

TRY_AGAIN = 75
"""Exit status of a training that was asked to leave and has saved (EX_TEMPFAIL of sysexits.h)."""
_LEAVE = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)
_LONGEST_WAIT = timedelta(days=30)


def world_size() -> int:
    """Return the number of processes that train together, as the launcher says."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_first_process() -> bool:
    """Tell whether this is the process that writes what all of them share, as the launcher says."""
    return os.environ.get("RANK", "0") == "0"


def check_devices(gpus: int) -> None:
    """See that this node has the GPUs that were asked for, with one process each.

    Raises:
        VisatbError: saying what is visible here instead.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if gpus and processes != gpus:
        raise VisatbError(
            f"{gpus} GPU(s) a node were asked for, but {processes} process(es) were started on "
            f"{socket.gethostname()}; expected one a GPU: torchrun --nproc-per-node {gpus}"
        )
    if computes_on_cpu(gpus):
        return
    visible = torch.cuda.device_count()
    if visible < gpus:
        built = f"for CUDA {torch.version.cuda}" if torch.version.cuda else "without CUDA"
        raise VisatbError(
            f"{gpus} GPU(s) were asked for on {socket.gethostname()}, {visible} can be seen "
            f"(CUDA_VISIBLE_DEVICES={os.environ.get('CUDA_VISIBLE_DEVICES', 'not set')}, torch {torch.__version__} "
            f"built {built}); ask the scheduler for {gpus}, or set `gpus` under `resources` in the config to what is "
            f"there (0 computes on the CPU), or install a torch that fits the driver"
        )


def leave_when_all_is_done() -> None:
    """End a process that was one of several, with status 0 and without tearing the interpreter down.

    Gloo's worker threads outlive ``destroy_process_group``, for libraries hold on to the groups. Processes were seen to
    abort when the interpreter was torn down at their end, all being published, which the launcher tells as a failure.
    """
    if world_size() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)


@contextmanager
def alone_together(folder: str | Path, label: str) -> Iterator[None]:
    """Let the processes of this training, and no others, work in ``folder``: see `visatb.runtime.locking.alone_in`.

    The first process holds the lock. The others wait for its word however long that takes, which the processes' own
    talk would not: it gives up after some minutes.
    """
    if world_size() == 1:
        with alone_in(folder, label):
            yield
        return
    if not is_first_process():
        told_by_another("visatb/alone")
        yield
        return
    with alone_in(folder, label):
        tell_others("visatb/alone", "yes")
        yield


def tell_others(subject: str, word: str) -> None:
    """Tell the other processes of this training a word on a subject."""
    _store().set(_this_attempt(subject), word)


def told_by_another(subject: str) -> str:
    """Wait, however long that takes, for what another process of this training tells on a subject."""
    store, key = _store(), _this_attempt(subject)
    store.wait([key], _LONGEST_WAIT)
    return str(store.get(key).decode())


def _store() -> torch.distributed.Store:
    return next(torch.distributed.rendezvous("env://", timeout=_LONGEST_WAIT))[0]


def _this_attempt(subject: str) -> str:
    return f"{subject}/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}"


def ignore_signals() -> None:
    """Let this process, which is about to leave, end as it would: what asks it to leave comes too late."""
    for number in _LEAVE:
        signal.signal(number, signal.SIG_IGN)


class LeaveOnSignal(TrainerCallback):
    """Has a checkpoint saved and the training end after the step in which SIGTERM, SIGUSR1 or SIGINT came.

    A signal may reach one process alone, or each in another step: they agree, once a step.
    """

    def __init__(self) -> None:
        self._asked_by = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "LeaveOnSignal":
        self._before = {number: signal.signal(number, self._note) for number in _LEAVE}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, _: FrameType | None) -> None:
        self._asked_by = number
        if number == signal.SIGINT:
            signal.signal(number, signal.default_int_handler)  # the second Ctrl-C does not wait

    @property
    def reason(self) -> str:
        """What asked to leave, or nothing."""
        return signal.Signals(self._asked_by).name if self._asked_by else ""

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Agree whether to leave; the last step ends anyway."""
        if world_size() > 1:
            asked = torch.tensor(self._asked_by, device=args.device)
            torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX)
            self._asked_by = int(asked)
        if self._asked_by and state.global_step < state.max_steps:
            control.should_save = control.should_training_stop = True
