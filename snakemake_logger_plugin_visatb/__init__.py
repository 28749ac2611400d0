"""Snakemake's messages for people who watch a run: one line a finished job, and the real error of a failed one.

Used with ``logger: visatb`` in a profile. Jobs print their own progress between these lines.
"""

import sys
import time
from collections.abc import Iterable
from logging import WARNING, LogRecord
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

LAST_LINES = 12
LONGEST_REASON = 160


class LogHandler(LogHandlerBase):
    """Writes to stderr; knows the jobs by their numbers."""

    def __post_init__(self) -> None:
        """Start with nothing known."""
        self._jobs: dict[int, tuple[str, float]] = {}
        self._failed: dict[int, str] = {}
        self._done, self._total = 0, 0

    @property
    def writes_to_stream(self) -> bool:
        """It writes to stderr."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Snakemake keeps its own log file."""
        return False

    @property
    def has_filter(self) -> bool:
        """It decides itself what to show."""
        return True

    @property
    def has_formatter(self) -> bool:
        """It words messages itself."""
        return True

    @property
    def needs_rulegraph(self) -> bool:
        """It shows no graph."""
        return False

    def emit(self, record: LogRecord) -> None:
        """Show a record if a person wants to see it."""
        match getattr(record, "event", None):
            case LogEvent.RUN_INFO:
                self._run_info(record)
            case LogEvent.JOB_INFO:
                self._job_info(record)
            case LogEvent.JOB_FINISHED:
                self._job_finished(record)
            case LogEvent.JOB_ERROR:
                self._job_error(record)
            case LogEvent.ERROR | None if _concerns_people(record):
                _print(record.getMessage().strip())

    def close(self) -> None:
        """Name again, at the end, what failed."""
        if self._failed:
            _print(f"\n{len(self._failed)} job(s) failed; the same command runs these and what depends on them:")
            for line in self._failed.values():
                _print(f"  {line}")
            self._failed.clear()
        super().close()

    def _run_info(self, record: Any) -> None:
        first, self._total = not self._total, record.stats["total"]
        if first:
            counts = (f"{count} x {rule}" for rule, count in record.stats.items() if rule not in ("total", "all"))
            _print(f"{self._total} jobs: {', '.join(counts)}")

    def _job_info(self, record: Any) -> None:
        name = " ".join([record.rule_name, *map(str, (record.wildcards or {}).values())])
        self._jobs[record.jobid] = (name, time.monotonic())
        if self.common_settings.dryrun:
            reason = " ".join(record.reason.split())
            _print(f"  {name}: {reason[:LONGEST_REASON]}{'...' if len(reason) > LONGEST_REASON else ''}")
        if self.common_settings.printshellcmds and record.shellcmd:
            _print(f"    $ {record.shellcmd.strip()}")

    def _job_finished(self, record: Any) -> None:
        self._done += 1
        name, started = self._jobs.get(record.job_id, ("", time.monotonic()))
        self._failed.pop(record.job_id, None)
        if name != "all":
            _print(f"{_clock()}  {self._done}/{self._total}  {name}  {time.monotonic() - started:.0f} s")

    def _job_error(self, record: Any) -> None:
        name, _ = self._jobs.get(record.jobid, (record.rule_name, 0.0))
        logs = [str(log).split(" (")[0] for log in record.log]
        self._failed[record.jobid] = f"{name}  (log: {', '.join(logs) or 'none'})"
        _print(f"{_clock()}  FAILED  {name}")
        for log in logs:
            for line in _last_lines(log):
                _print(f"    | {line}")


def _concerns_people(record: LogRecord) -> bool:
    message = record.getMessage()
    told_otherwise = ("CalledProcessError in", "job execution failed", "At least one job did not complete")
    if any(words in message for words in told_otherwise):
        return False
    return record.levelno >= WARNING or message.startswith("Nothing to be done")


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _last_lines(path: str) -> Iterable[str]:
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").rstrip().splitlines()[-LAST_LINES:]
    except OSError:
        return ["(there is no log)"]


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
