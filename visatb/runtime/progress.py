"""Lines that tell people how far long work is: on stderr, and on a terminal beside it where a workflow offers one."""

import os
import sys
import time

PROGRESS_FD = "VISATB_PROGRESS_FD"
WATCHED_SECONDS, UNWATCHED_SECONDS = 10.0, 60.0


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


def short_count(number: float) -> str:
    """Return a count with three digits: ``950``, ``12.3k``, ``4.56M``, ``1.2B``."""
    for unit, size in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= 0.9995 * size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.0f}"


def is_watched() -> bool:
    """Tell whether what `say` prints comes to a terminal, where people watch; else it fills a file."""
    descriptor = os.environ.get(PROGRESS_FD, "")
    try:
        return os.isatty(int(descriptor)) if descriptor.isdigit() else sys.stderr.isatty()
    except ValueError:  # stderr is closed
        return False


class Progress:
    """Says now and then how much of ``total`` is done: ``[label] unit 120/600  loss 1.23  ETA 8 s``.

    Lines come at most every `WATCHED_SECONDS` on a terminal and every `UNWATCHED_SECONDS` elsewhere, and at most about
    a hundred in all.
    """

    def __init__(
        self, label: str, unit: str, total: int, done: int = 0, seconds_between_lines: float | None = None
    ) -> None:
        self._label, self._unit, self._total = label, unit, total
        self._first = done
        by_reader = WATCHED_SECONDS if is_watched() else UNWATCHED_SECONDS
        self._pause = by_reader if seconds_between_lines is None else seconds_between_lines
        self._started = self._said = time.monotonic()

    def at(self, done: int, details: str = "") -> None:
        """Note that ``done`` of the total are done; print a line if the last one is long enough ago, or at the end."""
        now = time.monotonic()
        whole = (now - self._started) * (self._total - self._first) / max(done - self._first, 1)
        pause = max(self._pause, whole / 100)
        if now - self._said < pause and done < self._total:
            return
        self._said = now
        left = (now - self._started) / max(done - self._first, 1) * (self._total - done)
        parts = [f"[{self._label}] {self._unit} {done}/{self._total}", details, f"ETA {duration(left)}"]
        say("  ".join(part for part in parts if part))
