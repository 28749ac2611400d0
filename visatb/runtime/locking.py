"""One process at a time works in a folder: a lock that a dead owner does not hold for ever."""

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import LeaseCompromise, SoftFileLease, Timeout

from visatb.errors import VisatbError
from visatb.runtime.progress import say

LOCK = ".lock"
LEASE_SECONDS = 30.0
"""How long a silent owner on another machine keeps its lock. On the same machine a dead one loses it at once."""


@contextmanager
def alone_in(folder: str | Path, label: str) -> Iterator[None]:
    """Wait until no living process works in ``folder``, then hold it for the block.

    The owner's heartbeat is watched by the waiter's own clock, so that clocks of machines need not agree. A process
    that loses its lock, because it was frozen for longer than the lease, ends at once: another one may have taken over.

    Args:
        folder: made if it is not there.
        label: what begins the line that tells of waiting, e.g. the run's name.
    """
    lock = _lock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        say(f"[{label}] waits: {_owner(lock)} is at work in {folder}")
        lock.acquire(poll_interval=1)
        say(f"[{label}] goes on: {folder} is free")
    try:
        yield
    finally:
        lock.release()


def hold(folder: str | Path, what: str) -> SoftFileLease:
    """Hold ``folder`` until this process ends; refuse if another living one has it.

    Args:
        folder: made if it is not there.
        what: what would be done there, for the message.

    Returns:
        The lock, to be kept as long as the folder is to be held.

    Raises:
        VisatbError: naming the process that has it.
    """
    lock = _lock(folder)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not _acquired_after_lease(lock, what):
            raise VisatbError(
                f"{folder}: {_owner(lock)} is at work there; expected to be alone with it. "
                f"Wait until it ends, or stop it, and give the command again"
            ) from None
    return lock


def at_work(folder: str | Path) -> str:
    """Return which living process works in ``folder``, e.g. ``process 12 on node3``, or nothing; never takes the lock.

    Of an owner on another machine only its signs of life are known, by this machine's clock.
    """
    path = Path(folder) / LOCK
    try:
        silent = time.time() - path.stat().st_mtime
    except OSError:
        return ""
    lock = SoftFileLease(path, lease_duration=LEASE_SECONDS)
    if lock.owner is None:
        return ""
    if lock.owner.hostname == socket.gethostname():
        return _owner(lock) if _is_alive(lock.owner.pid) else ""
    return _owner(lock) if abs(silent) < 2 * LEASE_SECONDS else ""


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _acquired_after_lease(lock: SoftFileLease, what: str) -> bool:
    """Look whether an owner on another machine is alive: a dead one is known as such only after its lease."""
    if lock.owner and lock.owner.hostname == socket.gethostname():
        return False
    say(f"{what}: held by {_owner(lock)}; looking for {LEASE_SECONDS:.0f} s whether that is alive")
    try:
        lock.acquire(timeout=LEASE_SECONDS + 5, poll_interval=1)
    except Timeout:
        return False
    return True


def _lock(folder: str | Path) -> SoftFileLease:
    Path(folder).mkdir(parents=True, exist_ok=True)
    return SoftFileLease(
        Path(folder) / LOCK, lease_duration=LEASE_SECONDS, on_compromise=_leave_at_once, thread_local=False
    )


def _owner(lock: SoftFileLease) -> str:
    owner = lock.owner
    return f"process {owner.pid} on {owner.hostname}" if owner else "another process"


def _leave_at_once(lost: LeaseCompromise) -> None:
    say(f"error: {lost.lock_file}: this process lost its lock ({lost.reason}); it stops, for another may be at work")
    os._exit(1)
