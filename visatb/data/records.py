"""Reading people's LLaVA-format files: every record is checked, and every bad one is reported with its reason."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from visatb.data.bad_records import BadRecordError, Report, kind_of
from visatb.data.boxes import parse_box
from visatb.data.images import Images
from visatb.data.jobs import SplitJob
from visatb.data.json_records import located_records
from visatb.errors import VisatbError
from visatb.runtime.files import atomic_path
from visatb.runtime.progress import Progress

TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
RECORD_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("conversations", pa.list_(TURN)),
        ("truths", pa.list_(pa.string())),
    ]
)
SPEAKERS = ("human", "gpt")
CHUNK = 4096

Row = dict[str, Any]


def read_split(job: SplitJob, files: Sequence[str | Path]) -> tuple[pa.Table, Report]:
    """Read and check one split of a task, of JSON lists or JSON-lines files with LLaVA-format records.

    Returns:
        The good records in `RECORD_SCHEMA` (an ``image`` is a path from the working directory, or null) and the report.

    Raises:
        VisatbError: a file is missing or no JSON, no record is there, or a larger share than ``job.tolerated`` is bad.
    """
    report = Report(job.task, job.split)
    batches = list(_good_batches(job, files, report, processes=1))
    report.refuse_if_bad(files, job.tolerated)
    return pa.Table.from_batches(batches, RECORD_SCHEMA), report


def write_split(output: str | Path, job: SplitJob, files: Sequence[str | Path], processes: int = 1) -> Report:
    """Check one split of a task and write its good records as Parquet, atomically, holding few of them at a time.

    ``processes`` look at the images. Raises `VisatbError` as `read_split` does.
    """
    report = Report(job.task, job.split)
    with atomic_path(output) as temporary:
        with pq.ParquetWriter(temporary, RECORD_SCHEMA, compression="zstd", write_page_checksum=True) as writer:
            for batch in _good_batches(job, files, report, processes):
                writer.write_batch(batch)
        report.refuse_if_bad(files, job.tolerated)
    return report


def _good_batches(
    job: SplitJob, files: Sequence[str | Path], report: Report, processes: int
) -> Iterator[pa.RecordBatch]:
    ids: set[str] = set()
    with Images(job.image_folder, processes) as images:
        checks = _Checks(job, images)
        records = _located_records(job, files)
        while chunk := list(islice(records, CHUNK)):
            images.look_at(r.get("image") for _, r in chunk if isinstance(r, dict) and not checks.is_of_another(r))
            rows = [row for location, record in chunk if (row := _good_row(location, record, checks, ids, report))]
            yield pa.RecordBatch.from_pylist(rows, schema=RECORD_SCHEMA)


def _good_row(location: str, record: Any, checks: "_Checks", ids: set[str], report: Report) -> Row | None:
    if checks.is_of_another(record):
        report.of_other_tasks += 1
        return None
    report.records += 1
    try:
        row = checks.checked(record)
        row["id"] = _unused(row["id"], ids, checks.job.number_ids)
    except BadRecordError as error:
        report.note(location, error)
        return None
    ids.add(row["id"])
    return row


def _unused(name: str, ids: set[str], may_number: bool) -> str:
    if name not in ids:
        return name
    if not may_number:
        raise BadRecordError(
            "duplicate id", f"the id '{name}' is there before; make ids unique, or have them numbered (duplicate_ids)"
        )
    return next(other for number in count(2) if (other := f"{name}-{number}") not in ids)


def _located_records(job: SplitJob, files: Sequence[str | Path]) -> Iterator[tuple[str, Any]]:
    where = f"task '{job.task}', split {job.split}"
    paths = [Path(file) for file in files]
    sizes = [os.path.getsize(path) if path.is_file() else 0 for path in paths]
    megabytes = max(1, sum(sizes) // 2**20)
    progress = Progress(f"{job.task} {job.split}", "MB of annotations checked", megabytes)
    before, number = 0, 0
    try:
        for path, size in zip(paths, sizes, strict=True):
            for location, read, record in located_records(path):
                number += 1
                progress.at(min((before + read) // 2**20, megabytes - 1), f"{number} records")
                yield location, record
            before += size
    except VisatbError as error:
        raise VisatbError(f"{where}: {error}") from error


@dataclass(frozen=True)
class _Checks:
    """What a record of one task's split must be."""

    job: SplitJob
    images: Images

    def is_of_another(self, record: Any) -> bool:
        """Return whether a record belongs to another known task in the same files."""
        if self.job.task_field is None or not isinstance(record, dict):
            return False
        named_task = record.get("task")
        return isinstance(named_task, str) and named_task != self.job.task_field and named_task in self.job.other_fields

    def checked(self, record: Any) -> Row:
        """Return a record as a row of `RECORD_SCHEMA`, or raise `BadRecordError`."""
        if not isinstance(record, dict):
            raise BadRecordError("no record", f"expected an object with id and conversations, found {kind_of(record)}")
        name = checked_id(record)
        self._check_task(record)
        turns, truths = checked_turns(record.get("conversations"), several=self.job.split != "train")
        if self.job.boxes:
            _check_boxes(turns, truths)
        image = None if record.get("image") in (None, "") else self.images.path(record["image"])
        if image is None and any("<image>" in turn["value"] for turn in turns):
            raise BadRecordError("no image", "says <image> but names no image; add 'image' or take <image> away")
        return {"id": name, "image": image, "conversations": turns, "truths": truths}

    def _check_task(self, record: Row) -> None:
        expected = self.job.task_field or self.job.task
        named_task = record.get("task", None if self.job.task_field else expected)
        if named_task == expected:
            return
        if self.job.task_field:
            known = ", ".join([expected, *sorted(self.job.other_fields)])
            raise BadRecordError("unknown task", f"'task' says {named_task!r}; known are {known} (see task_field)")
        raise BadRecordError("other task", f"is of the task '{named_task}', expected '{expected}'")


def checked_id(record: Row) -> str:
    """Return a record's id as text, or raise `BadRecordError`."""
    name = record.get("id")
    if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
        raise BadRecordError("no id", f"'id' is {kind_of(name)}, expected text or a whole number")
    return encodable(str(name))


def checked_turns(conversations: Any, several: bool) -> tuple[list[dict[str, str]], list[str]]:
    """Return a conversation's turns and the true answers of the last one, or raise `BadRecordError`.

    ``several``: an answer may be a list of texts that all count as right; the turn then holds the first.
    """
    if not isinstance(conversations, list) or not conversations:
        raise BadRecordError("no conversation", "has no list of 'conversations'")
    turns: list[dict[str, str]] = []
    truths: list[str] = []
    for number, turn in enumerate(conversations, start=1):
        speaker = SPEAKERS[1 - number % 2]
        if not isinstance(turn, dict) or turn.get("from") != speaker:
            actual = repr(turn.get("from")) if isinstance(turn, dict) else kind_of(turn)
            raise BadRecordError("turns", f"turn {number} is from {actual}, expected '{speaker}'")
        truths = _texts(turn.get("value"), number, several=speaker == "gpt" and several)
        turns.append({"from": speaker, "value": truths[0]})
    if len(turns) % 2:
        raise BadRecordError("turns", "ends with a human turn, expected an answer from 'gpt'")
    return turns, truths


def _texts(value: Any, number: int, several: bool) -> list[str]:
    texts = value if isinstance(value, list) and several and value else [value]
    for text in texts:
        if not isinstance(text, str):
            raise BadRecordError("turn value", f"the 'value' of turn {number} is {kind_of(text)}, expected text")
        if not text.strip():
            raise BadRecordError("empty turn", f"turn {number} (from {SPEAKERS[1 - number % 2]}) is empty")
        encodable(text)
    return texts


def encodable(text: str) -> str:
    """Return a text as it is, or raise `BadRecordError` if it cannot be written as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRecordError("broken character", f"holds half a character (\\ud800 to \\udfff): {text!r}") from None
    return text


def _check_boxes(turns: Sequence[dict[str, str]], truths: Sequence[str]) -> None:
    for text in [turn["value"].strip() for turn in turns if turn["from"] == "gpt"] + [text.strip() for text in truths]:
        box = parse_box(text) if text.startswith("[") and text.endswith("]") else None
        if box is None or min(box) < 0 or max(box) > 1:
            raise BadRecordError("box", f"the answer '{text}' is no box [x1, y1, x2, y2] within 0-1")
