"""GPUs of a machine without a scheduler: jobs that run side by side there each take their own."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from filelock import FileLock, Timeout

from visatb.runtime.devices import computes_on_cpu
from visatb.runtime.processes import tell_others, told_by_another, world_size
from visatb.runtime.progress import say

SCHEDULERS = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID")
"""Set in the jobs of Slurm, PBS, LSF and Grid Engine, which hand out GPUs themselves."""
_PAUSE = 2.0
_held: list[FileLock] = []


def take_gpus(gpus: int, label: str) -> None:
    """Take GPUs as `claim_gpus` does; the processes that train together on a machine share what the first one takes."""
    if world_size() == 1:
        claim_gpus(gpus, label)
        return
    node = f"visatb/gpus/{os.environ.get('GROUP_RANK', '0')}"
    if os.environ.get("LOCAL_RANK") == "0":
        tell_others(node, claim_gpus(gpus, label))
    elif taken := told_by_another(node):
        os.environ["CUDA_VISIBLE_DEVICES"] = taken


def claim_gpus(gpus: int, label: str) -> str:
    """Wait until ``gpus`` of the GPUs seen here are free, take them until this process ends, and see no others.

    Sets ``CUDA_VISIBLE_DEVICES``, so it must come before CUDA is used. Does nothing under a scheduler or on the CPU.

    Args:
        gpus: how many.
        label: what begins the line that tells of waiting, e.g. the run's name.

    Returns:
        What is to be seen from now on, in the form of ``CUDA_VISIBLE_DEVICES``, or nothing where all is left as it is.
    """
    if computes_on_cpu(gpus) or any(name in os.environ for name in SCHEDULERS):
        return ""
    seen = _visible()
    announced = False
    while not (taken := _take(seen, gpus)):
        if not announced:
            say(f"[{label}] waits for {gpus} free GPU(s) of {len(seen)}: other jobs have them")
            announced = True
        time.sleep(_PAUSE)
    os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(taken)
    return os.environ["CUDA_VISIBLE_DEVICES"]


def _visible() -> list[str]:
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return named.split(",") if named else [str(index) for index in range(torch.cuda.device_count())]


def _take(seen: Sequence[str], gpus: int) -> list[str]:
    """Lock ``gpus`` of the GPUs and return them, or none at all: who holds some and waits for more blocks others."""
    locks: dict[str, FileLock] = {}
    for gpu in seen:
        lock = FileLock(Path(tempfile.gettempdir()) / f"visatb-gpu-{gpu.strip()}.lock", mode=0o666)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            continue
        locks[gpu] = lock
        if len(locks) == gpus:
            _held.extend(locks.values())
            return list(locks)
    for lock in locks.values():
        lock.release()
    return []
