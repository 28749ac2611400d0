"""Real processes to which something happens at a moment that a seed draws; none of them outlives its test."""

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.helpers import warm
from tests.helpers.paths import REPOSITORY

AT_FILE_EVENT = Path(__file__).with_name("at_file_event.py")
PATIENCE = 600.0
"""Seconds after which something that was waited for counts as never coming."""
_MARK = "VISATB_FAULT_MARK"


def seeds(default: int) -> pytest.MarkDecorator:
    """Have a test run once a seed: ``default`` times, or VISATB_FAULT_ROUNDS times, from VISATB_FAULT_SEED on.

    A failed round bears its seed in its name. ``VISATB_FAULT_ROUNDS=1 VISATB_FAULT_SEED=<seed>`` repeats it alone.
    """
    first = int(os.environ.get("VISATB_FAULT_SEED", "0"))
    rounds = int(os.environ.get("VISATB_FAULT_ROUNDS", default))
    return pytest.mark.parametrize(
        "seed", [pytest.param(first + one, id=f"seed-{first + one}") for one in range(rounds)]
    )


class Started:
    """A command at work in a session of its own, and what it has printed so far.

    A Python program is a fork of a warm process (`warm`); snakemake and torchrun start as people's do, and so do
    torchrun's programs.
    """

    def __init__(self, line: Sequence[str], folder: Path | None, printed: Path) -> None:
        self._printed = printed
        self._mark = uuid.uuid4().hex
        self.began = time.monotonic()
        is_program = line[0] == sys.executable and line[1] not in ("-m", "-c")
        with printed.open("wb") as stream:
            self.process = subprocess.Popen(
                warm.started_warm(line) if is_program else list(line),
                cwd=folder,
                stdout=stream,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=os.environ | {_MARK: self._mark, "PYTHONPATH": str(REPOSITORY)},
            )

    @property
    def said(self) -> str:
        """Everything that was printed up to now."""
        return self._printed.read_text(errors="replace")

    def running(self) -> bool:
        """Tell whether the command itself, not only what it has started, is at work."""
        return self.process.poll() is None

    def everybody(self) -> list[psutil.Process]:
        """Return the command and all that it has started, in other sessions too, so far as it lives."""
        found = []
        for one in psutil.process_iter():
            try:
                if one.status() != psutil.STATUS_ZOMBIE and one.environ().get(_MARK) == self._mark:
                    found.append(one)
                    found += [psutil.Process(fork)] if (fork := warm.fork_of(one.pid)) else []
            except psutil.Error:
                continue
        return found

    def ranks(self) -> list[psutil.Process]:
        """Return the training processes that torchrun has started, by rank."""
        of_rank: dict[int, psutil.Process] = {}
        for one in self.everybody():
            try:
                environment = one.environ()
            except psutil.Error:
                continue
            if "RANK" in environment:
                of_rank[int(environment["RANK"])] = one
        return [of_rank[rank] for rank in sorted(of_rank)]

    def wait_for(self, sign: Callable[[], object]) -> bool:
        """Return True as soon as ``sign`` holds, False if the command ended without it."""
        while not sign():
            if not self.running():
                return bool(sign())
            assert time.monotonic() - self.began < PATIENCE, f"waited in vain:\n{self.said}"
            time.sleep(0.002)
        return True

    def end(self) -> int:
        """Wait for the command's end and return its status."""
        try:
            return self.process.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            pytest.fail(f"does not end:\n{self.said}")

    def kill_everybody(self) -> None:
        """Kill the command and all that it has started, as the loss of power does."""
        while alive := self.everybody():
            for one in alive:
                try:
                    one.kill()
                except psutil.Error:
                    continue
            psutil.wait_procs(alive, timeout=10)
        self.process.wait(timeout=10)


@contextmanager
def started(line: Sequence[str], printed: Path, folder: Path | None = None) -> Iterator[Started]:
    """Start a command whose output goes to the file ``printed``; at the end nothing of it lives any more."""
    one = Started(line, folder, printed)
    try:
        yield one
    finally:
        one.kill_everybody()


def finish(line: Sequence[str], printed: Path, folder: Path | None = None) -> str:
    """Run a command to its end, which must be a good one, and return what it said.

    As nothing befalls it, it need not start as people's do (`warm`).
    """
    line = warm.started_warm(line)
    with started(line, printed, folder) as one:
        status = one.end()
        assert status == 0, f"ended with {status}:\n{one.said}"
        return one.said


def at_file_event(what: str, number: int, folder: Path, line: Sequence[str]) -> list[str]:
    """Return the Python command ``line`` changed so that ``what`` happens at its n-th file event in ``folder``.

    See at_file_event.py.
    """
    assert line[0] == sys.executable
    return [sys.executable, str(AT_FILE_EVENT), what, str(number), str(folder), *line[1:]]


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below ``folder`` with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def assert_same_files(found: Path, expected: Path) -> None:
    """See that two folders hold the same files, to the byte: names are told, contents are not."""
    one, other = contents(found), contents(expected)
    assert sorted(one) == sorted(other)
    assert [name for name in one if one[name] != other[name]] == []
