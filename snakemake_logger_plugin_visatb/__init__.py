"""Snakemake's messages for people who watch a run: one line a finished job, and the real error of a failed one.

Used with ``logger: visatb`` in a profile. Jobs print their own progress between these lines.
"""

import re
import sys
import time
from logging import WARNING, LogRecord
from pathlib import Path
from typing import Any

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from visatb.runtime.logs import before_launcher, log_lines

LAST_LINES = 12
LONGEST_REASON = 160
LAST_LINES_AGAIN = 3
UNTOLD = ("all", "status")
NOISE = (
    "CalledProcessError in",
    "job execution failed",
    "At least one job did not complete",
    # What Slurm's executor says about accounts and status commands works out by itself.
    "No SLURM account given",
    "Guessed SLURM account",
    "Unable to guess SLURM account",
    "No account was given",
    "returned empty results for account",
    "'squeue' should work reliably",
    "Consider using 'sacct'",
)
SCHEDULERS_WORD = re.compile(r"^(srun|slurmstepd|slurmd|sbatch): error: (?!.*Exited with exit code)|^(/bin/)?(ba)?sh: ")


class LogHandler(LogHandlerBase):
    """Writes to stderr; knows the jobs by their numbers."""

    def __post_init__(self) -> None:
        """Start with nothing known."""
        self._jobs: dict[int, tuple[str, float]] = {}
        self._failed: dict[int, list[str]] = {}
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
            case None if restarted := re.match(r"Trying to restart job (\d+)", record.getMessage()):
                self._failed.pop(int(restarted[1]), None)
                _print(f"{_clock()}  AGAIN   {self._jobs.get(int(restarted[1]), ('', 0.0))[0]}")
            case LogEvent.ERROR | None if _concerns_people(record):
                _print(record.getMessage().strip())

    def close(self) -> None:
        """Name again, at the end, what failed."""
        if self._failed:
            _print(f"\n{len(self._failed)} job(s) failed; the same command runs these and what depends on them:")
            for lines in self._failed.values():
                _print("\n".join(lines))
            self._failed.clear()
        super().close()

    def _run_info(self, record: Any) -> None:
        first, self._total = not self._total, record.stats["total"]
        if first:
            counts = (f"{count} x {rule}" for rule, count in record.stats.items() if rule not in ("total", *UNTOLD))
            if told := ", ".join(counts):
                _print(f"{self._total} jobs: {told}")

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
        if name not in UNTOLD:
            _print(f"{_clock()}  {self._done}/{self._total}  {name}  {time.monotonic() - started:.0f} s")

    def _job_error(self, record: Any) -> None:
        name, _ = self._jobs.get(record.jobid, (record.rule_name, 0.0))
        logs = [str(log).split(" (")[0] for log in record.log]
        of_scheduler = re.search(r"SLURM-job '(\d+)' failed, SLURM status is: '(\w+)'", record.rule_msg or "")
        told = f" (Slurm job {of_scheduler[1]}: {of_scheduler[2]})" if of_scheduler else ""
        if of_scheduler:
            reason = _reason(logs[:-1], logs[-1:])
        else:
            reason = _reason(logs, [], (record.rule_msg or "").partition("sbatch call:")[0])
        self._failed[record.jobid] = [
            f"  {name}{told}",
            *(f"    log: {log}" for log in logs if Path(log).is_file()),
            *(f"    | {line}" for line in reason[-LAST_LINES_AGAIN:]),
        ]
        _print("\n".join([f"{_clock()}  FAILED  {name}{told}", *(f"    | {line}" for line in reason)]))


def _concerns_people(record: LogRecord) -> bool:
    message = record.getMessage()
    if any(words in message for words in NOISE):
        return False
    return record.levelno >= WARNING or message.startswith("Nothing to be done")


def _reason(logs: list[str], logs_of_scheduler: list[str], told: str = "") -> list[str]:
    """Return the last lines of what a job said itself, and what the scheduler said of it.

    What a launcher of several processes says after they failed is left out, and so is most of the scheduler's log,
    which holds the output of a Snakemake of its own.
    """
    lines = [line for log in logs for line in before_launcher(log_lines(log))[-LAST_LINES:]]
    for log in logs_of_scheduler:
        lines += [line for line in log_lines(log) if SCHEDULERS_WORD.search(line)][-LAST_LINES_AGAIN:]
    lines += [line.strip() for line in told.splitlines() if line.strip()][:LAST_LINES]
    return lines or ["(there is no log)"]


def _clock() -> str:
    return time.strftime("%H:%M:%S")


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
