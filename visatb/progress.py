"""Lines that tell people how far long work is: on stderr, and on a terminal beside it where a workflow offers one."""

import os
import sys
import time

PROGRESS_FD = "VISATB_PROGRESS_FD"


def say(line: str) -> None:
    """Print a line on stderr, and on the file descriptor that the environment variable ``VISATB_PROGRESS_FD`` names.

    A rule sends its output to a log file and keeps that descriptor for the terminal.
    """
    print(line, file=sys.stderr, flush=True)
    descriptor = os.environ.get(PROGRESS_FD, "")
    if descriptor.isdigit():
        try:
            os.write(int(descriptor), f"{line}\n".encode())
        except OSError:
            del os.environ[PROGRESS_FD]


def duration(seconds: float) -> str:
    """Return seconds in the unit people would use: ``42 s``, ``7 min``, ``3.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


class Progress:
    """Says now and then how much of ``total`` is done: ``[label] unit 120/600  loss 1.23  ETA 8 s``."""

    def __init__(self, label: str, unit: str, total: int, done: int = 0, seconds_between_lines: float = 10.0) -> None:
        self._label, self._unit, self._total = label, unit, total
        self._first = done
        self._pause = seconds_between_lines
        self._started = self._said = time.monotonic()

    def at(self, done: int, details: str = "") -> None:
        """Note that ``done`` of the total are done; print a line if the last one is long enough ago, or at the end."""
        now = time.monotonic()
        pause = max(self._pause, (now - self._started) / 100)  # a training of a week leaves some hundred lines
        if now - self._said < pause and done < self._total:
            return
        self._said = now
        left = (now - self._started) / max(done - self._first, 1) * (self._total - done)
        parts = [f"[{self._label}] {self._unit} {done}/{self._total}", details, f"ETA {duration(left)}"]
        say("  ".join(part for part in parts if part))
