"""What the log files of jobs say of their end."""

import re
from pathlib import Path

LAUNCHERS_WORD = re.compile(r"^[EW]\d{4} .*torch/distributed/elastic")
ERROR = re.compile(
    r"^(error: |([A-Za-z_]\w*\.)*[A-Z]\w*(Error|Exception|Interrupt)\b)|: (Killed|No space left on device)$"
)
LAST_LINES = 60


def log_lines(path: str | Path) -> list[str]:
    """Return the lines of a log; none if it is not there."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").rstrip().splitlines()
    except OSError:
        return []


def before_launcher(lines: list[str]) -> list[str]:
    """Leave out what a launcher of several processes says after they failed."""
    at = [number for number, line in enumerate(lines) if LAUNCHERS_WORD.match(line)]
    return lines[: at[0]] if at and at[0] else lines


def last_error(path: str | Path) -> str:
    """Return the last line of a log that names an error, or nothing: a job's next attempt begins its log anew."""
    lines = before_launcher(log_lines(path))[-LAST_LINES:]
    return next((line.strip() for line in reversed(lines) if ERROR.search(line)), "")
