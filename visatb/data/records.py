"""Reading people's LLaVA-format files: every record is checked, and every bad one is reported with its reason."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from visatb.errors import VisatbError, bullet_list

TURN = pa.struct([("from", pa.string()), ("value", pa.string())])
RECORD_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("conversations", pa.list_(TURN)),
        ("truths", pa.list_(pa.string())),
    ]
)
BOX = re.compile(r"\[\s*-?\d*\.?\d+(?:\s*,\s*-?\d*\.?\d+){3}\s*\]")
SHOWN_OFFENDERS = 5


class BadRecordError(Exception):
    """One record cannot be used; ``kind`` groups such mistakes in the report."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


@dataclass
class Report:
    """What was found in the files of one task's split."""

    task: str
    split: str
    records: int = 0
    bad: Counter[str] = field(default_factory=Counter)
    offenders: list[str] = field(default_factory=list)

    def note(self, place: str, error: BadRecordError) -> None:
        """Count a bad record, and remember the first few of its kind with their place."""
        self.bad[error.kind] += 1
        if self.bad[error.kind] <= SHOWN_OFFENDERS:
            self.offenders.append(f"{place}: {error}")

    def as_json(self) -> dict[str, Any]:
        """Return the report as JSON values."""
        return {
            "task": self.task,
            "split": self.split,
            "records": self.records,
            "bad": dict(self.bad),
            "first_offenders": self.offenders,
        }


def read_split(
    task: str, split: str, files: Sequence[str | Path], image_folder: str | Path, tolerated: float = 0.0
) -> tuple[pa.Table, Report]:
    """Read and check one split of a task.

    Args:
        task: the task's name; a record whose own ``task`` says otherwise is a mistake.
        split: ``train``, ``val`` or ``test``.
        files: JSON lists or JSON-lines files of LLaVA-format records.
        image_folder: what image paths are relative to.
        tolerated: share of bad records up to which the good ones are used.

    Returns:
        The good records in `RECORD_SCHEMA` (an ``image`` is a path from the working directory, or null) and the report.

    Raises:
        VisatbError: a file is missing or no JSON, no record is there, or too many are bad.
    """
    report = Report(task, split)
    folder = Path(image_folder)
    good: dict[str, dict[str, Any]] = {}
    for place, record in _placed_records(task, split, files):
        report.records += 1
        try:
            checked = _checked(record, task, split, folder)
            if checked["id"] in good:
                raise BadRecordError("duplicate id", f"the id '{checked['id']}' is there before; make ids unique")
            good[checked["id"]] = checked
        except BadRecordError as error:
            report.note(place, error)
    _refuse_if_bad(report, files, tolerated)
    return pa.Table.from_pylist(list(good.values()), schema=RECORD_SCHEMA), report


def _refuse_if_bad(report: Report, files: Sequence[str | Path], tolerated: float) -> None:
    where = f"task '{report.task}', split {report.split}"
    if not report.records:
        raise VisatbError(f"{where}: no record in {', '.join(map(str, files))}")
    number = sum(report.bad.values())
    if number > tolerated * report.records or number == report.records:
        kinds = ", ".join(f"{kind}: {count}" for kind, count in report.bad.most_common())
        raise VisatbError(
            f"{where}: {number} of {report.records} records cannot be used ({kinds}); "
            f"mend them, or allow a share with on_bad_records:\n{bullet_list(report.offenders)}"
        )


def _placed_records(task: str, split: str, files: Sequence[str | Path]) -> Iterator[tuple[str, Any]]:
    for file in files:
        path = Path(file)
        if not path.is_file():
            raise VisatbError(f"task '{task}', split {split}: {path}: no such file")
        yield from _json_lines(path) if path.suffix == ".jsonl" else _json_list(path)


def _json_lines(path: Path) -> Iterator[tuple[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        for number, line in enumerate(stream, start=1):
            if line.strip():
                yield f"{path}, line {number}", _parsed(line, f"{path}, line {number}")


def _json_list(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        records = _parsed(path.read_text(encoding="utf-8"), str(path))
    except UnicodeDecodeError as error:
        raise VisatbError(f"{path}: not UTF-8 text ({error})") from error
    if not isinstance(records, list):
        raise VisatbError(
            f"{path}: expected a JSON list of records, found {type(records).__name__}; "
            "name a file with one record a line .jsonl"
        )
    for number, record in enumerate(records, start=1):
        yield f"{path}, record {number}", record


def _parsed(text: str, place: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise VisatbError(f"{place}: not valid JSON: {error}") from error


def _checked(record: Any, task: str, split: str, folder: Path) -> dict[str, Any]:
    if not isinstance(record, dict):
        raise BadRecordError(
            "no record", f"expected an object with id and conversations, found {type(record).__name__}"
        )
    if "id" not in record or record["id"] in ("", None):
        raise BadRecordError("no id", "has no 'id'")
    if record.get("task", task) != task:
        raise BadRecordError("other task", f"is of the task '{record['task']}', expected '{task}'")
    turns, truths = _turns(record.get("conversations"), split)
    image = None if record.get("image") in (None, "") else _image(record["image"], folder)
    if image is None and any("<image>" in turn["value"] for turn in turns):
        raise BadRecordError("no image", "says <image> but names no image")
    _check_boxes(turns)
    return {"id": str(record["id"]), "image": image, "conversations": turns, "truths": truths}


def _turns(conversations: Any, split: str) -> tuple[list[dict[str, str]], list[str]]:
    if not isinstance(conversations, list) or not conversations:
        raise BadRecordError("no conversation", "has no list of 'conversations'")
    turns, truths = [], [""]
    for number, turn in enumerate(conversations):
        speaker = "human" if number % 2 == 0 else "gpt"
        if not isinstance(turn, dict) or turn.get("from") != speaker:
            found = turn.get("from") if isinstance(turn, dict) else turn
            raise BadRecordError("turns", f"turn {number + 1} is from {found!r}, expected '{speaker}'")
        texts = _texts(turn.get("value"), several=speaker == "gpt" and split != "train")
        if not all(text.strip() for text in texts):
            raise BadRecordError("empty turn", f"turn {number + 1} (from {speaker}) is empty")
        turns.append({"from": speaker, "value": texts[0]})
        truths = texts
    if len(turns) % 2:
        raise BadRecordError("turns", "ends with a human turn, expected an answer from 'gpt'")
    return turns, truths


def _texts(value: Any, several: bool) -> list[str]:
    texts = value if isinstance(value, list) and several and value else [value]
    if not all(isinstance(text, str) for text in texts):
        raise BadRecordError("turn value", f"a turn's 'value' is {type(value).__name__}, expected text")
    return texts


def _image(name: Any, folder: Path) -> str:
    if not isinstance(name, str):
        raise BadRecordError("image", f"'image' is {type(name).__name__}, expected a path")
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise BadRecordError("image outside", f"the image '{name}' lies outside of {folder}")
    if not path.is_file():
        raise BadRecordError("missing image", f"the image {path} is not there")
    try:
        with Image.open(path) as image:
            image.verify()
    except Exception as error:  # Pillow's decoders raise what they like
        raise BadRecordError("unreadable image", f"the image {path} cannot be read ({error})") from error
    return str(path)


def _check_boxes(turns: Sequence[dict[str, str]]) -> None:
    for turn in turns:
        if turn["from"] == "gpt" and BOX.fullmatch(turn["value"].strip()):
            box = json.loads(re.sub(r"(?<![\d])\.", "0.", turn["value"]))
            if not (0 <= box[0] <= box[2] <= 1 and 0 <= box[1] <= box[3] <= 1):
                raise BadRecordError("box", f"the box {turn['value'].strip()} is not [x1, y1, x2, y2] within 0-1")
