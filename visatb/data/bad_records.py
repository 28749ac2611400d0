"""Records that cannot be used: counted by kind, with the first places of each, and refused where they are too many."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visatb.errors import VisatbError, bullet_list

SHOWN_OFFENDERS = 5


class BadRecordError(Exception):
    """One record cannot be used; ``kind`` groups such mistakes in the report."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass
class Report:
    """What was found in the files of one task's split.

    Attributes:
        records: the task's records, good and bad.
        of_other_tasks: records of other tasks in the same files, which are passed over.
        bad: kind of mistake -> records that have it.
        offenders: the first few of every kind, with their places.
    """

    task: str
    split: str
    records: int = 0
    of_other_tasks: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    offenders: list[str] = field(default_factory=list)

    def note(self, location: str, error: BadRecordError) -> None:
        """Count a bad record, and remember the first few of its kind with their location."""
        self.bad[error.kind] += 1
        if self.bad[error.kind] <= SHOWN_OFFENDERS:
            self.offenders.append(f"{location}: {error}")

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "task": self.task,
            "split": self.split,
            "records": self.records,
            "of_other_tasks": self.of_other_tasks,
            "bad": dict(self.bad),
            "first_offenders": self.offenders,
        }

    def refuse_if_bad(self, files: Sequence[str | Path], tolerated: float) -> None:
        """Raise `VisatbError` if no record is there, or a larger share than ``tolerated`` is bad."""
        where = f"task '{self.task}', split {self.split}"
        if not self.records:
            others = f" ({self.of_other_tasks} are of other tasks; see task_field)" if self.of_other_tasks else ""
            raise VisatbError(f"{where}: no record in {', '.join(map(str, files))}{others}; add some")
        number = sum(self.bad.values())
        if number > tolerated * self.records or number == self.records:
            kinds = ", ".join(f"{kind}: {count}" for kind, count in self.bad.most_common())
            raise VisatbError(
                f"{where}: {number} of {self.records} records cannot be used ({kinds}); "
                f"mend them, or allow a share with on_bad_records:\n{bullet_list(self.offenders)}"
            )


def report_row(report: Mapping[str, Any]) -> dict[str, Any]:
    """Return a report (`Report.as_json`) as a row of data_report.tsv."""
    return {
        "task": report["task"],
        "split": report["split"],
        "records": report["records"],
        "of_other_tasks": report["of_other_tasks"],
        "left_out": sum(report["bad"].values()),
        "reasons": ", ".join(f"{kind}: {count}" for kind, count in report["bad"].items()),
    }


def kind_of(value: object) -> str:
    """Return what a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "missing"}
    return names.get(type(value), f"the number {value}")
