"""One process at a time in a folder, whatever becomes of the one that had it."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.helpers.training_examples import ROOT
from visatb.errors import VisatbError
from visatb.runtime import locking
from visatb.runtime.locking import LOCK, alone_in, hold

HOLDER = """
import sys, time
from visatb.runtime.locking import alone_in
with alone_in(sys.argv[1], "run"):
    print("in", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def holder(folder: Path, seconds: float) -> subprocess.Popen[str]:
    """Start a process that holds ``folder`` for a while; return it once it does."""
    line = [sys.executable, "-c", HOLDER, str(folder), str(seconds)]
    process = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "in\n"
    return process


def test_the_second_waits_until_the_first_has_ended(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = holder(tmp_path, 2)
    with alone_in(tmp_path, "mini"):
        assert first.wait(timeout=5) == 0
    said = capfd.readouterr().err
    assert f"[mini] waits: process {first.pid} on " in said
    assert f"[mini] goes on: {tmp_path} is free" in said
    assert not (tmp_path / LOCK).exists()


def test_one_that_was_killed_holds_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    first = holder(tmp_path, 60)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert (tmp_path / LOCK).exists()
    started = time.monotonic()
    with alone_in(tmp_path, "mini"):
        pass
    hold(tmp_path, "experiment").release()
    assert time.monotonic() - started < locking.LEASE_SECONDS / 2
    assert "waits" not in capfd.readouterr().err


def of_another_machine(folder: Path) -> None:
    """Make the lock in ``folder`` one of a process elsewhere: whether that lives can only be seen by its heartbeat."""
    path = folder / LOCK
    words = path.read_text().splitlines()
    path.write_text("\n".join("host=elsewhere" if word.startswith("host=") else word for word in words) + "\n")


def test_one_on_a_machine_that_died_holds_for_the_lease_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(locking, "LEASE_SECONDS", 3.0)
    lock = hold(tmp_path, "experiment")
    record = (tmp_path / LOCK).read_text()
    lock.release()
    (tmp_path / LOCK).write_text(record)
    of_another_machine(tmp_path)
    started = time.monotonic()
    hold(tmp_path, "experiment").release()
    assert 2 < time.monotonic() - started < 20
    assert "on elsewhere; looking for 3 s whether that is alive" in capfd.readouterr().err


def test_a_living_one_on_another_machine_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locking, "LEASE_SECONDS", 3.0)
    first = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from visatb.runtime import locking; locking.LEASE_SECONDS = 3.0\n" + HOLDER,
            str(tmp_path),
            "60",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert first.stdout
    assert first.stdout.readline() == "in\n"
    monkeypatch.setattr("socket.gethostname", lambda: "elsewhere")
    with pytest.raises(VisatbError, match=r"process \d+ on .* is at work there; .* give the command again"):
        hold(tmp_path, "experiment")
    first.kill()
    first.wait()


def test_who_lost_the_lock_stops_at_once(tmp_path: Path) -> None:
    code = "from visatb.runtime import locking; locking.LEASE_SECONDS = 1.5\n" + HOLDER
    first = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path), "60"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert first.stdout
    assert first.stdout.readline() == "in\n"
    (tmp_path / LOCK).unlink()
    _, said = first.communicate(timeout=20)
    assert first.returncode == 1
    assert "this process lost its lock" in said
