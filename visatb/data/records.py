"""Reading people's LLaVA-format files: every record is checked, and every bad one is reported with its reason."""

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from visatb.data.json_records import placed_records
from visatb.errors import VisatbError, bullet_list
from visatb.evaluation.metric_names import BOX_METRICS
from visatb.evaluation.metrics import parse_box
from visatb.progress import Progress

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
SHOWN_OFFENDERS = 5
CHUNK = 4096


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
    task: str,
    split: str,
    files: Sequence[str | Path],
    image_folder: str | Path,
    tolerated: float = 0.0,
    metrics: Sequence[str] = (),
) -> tuple[pa.Table, Report]:
    """Read and check one split of a task.

    Args:
        task: the task's name; a record whose own ``task`` says otherwise is a mistake.
        split: ``train``, ``val`` or ``test``.
        files: JSON lists or JSON-lines files of LLaVA-format records.
        image_folder: what image paths are relative to.
        tolerated: share of bad records up to which the good ones are used.
        metrics: the task's metrics; with IoU or mean_IoU every answer must be a box.

    Returns:
        The good records in `RECORD_SCHEMA` (an ``image`` is a path from the working directory, or null) and the report.

    Raises:
        VisatbError: a file is missing or no JSON, no record is there, or too many are bad.
    """
    report = Report(task, split)
    checks = _Checks(task, split, Images(image_folder), with_boxes=not set(BOX_METRICS).isdisjoint(metrics))
    chunks: list[pa.RecordBatch] = []
    rows: list[dict[str, Any]] = []
    ids: set[str] = set()
    for place, record in _placed_records(task, split, files):
        report.records += 1
        try:
            row = checks.checked(record)
            if row["id"] in ids:
                raise BadRecordError("duplicate id", f"the id '{row['id']}' is there before; make ids unique")
            ids.add(row["id"])
            rows.append(row)
        except BadRecordError as error:
            report.note(place, error)
        if len(rows) == CHUNK:
            chunks.append(pa.RecordBatch.from_pylist(rows, schema=RECORD_SCHEMA))
            rows.clear()
    _refuse_if_bad(report, files, tolerated)
    chunks.append(pa.RecordBatch.from_pylist(rows, schema=RECORD_SCHEMA))
    return pa.Table.from_batches(chunks), report


def _refuse_if_bad(report: Report, files: Sequence[str | Path], tolerated: float) -> None:
    where = f"task '{report.task}', split {report.split}"
    if not report.records:
        raise VisatbError(f"{where}: no record in {', '.join(map(str, files))}; add some")
    number = sum(report.bad.values())
    if number > tolerated * report.records or number == report.records:
        kinds = ", ".join(f"{kind}: {count}" for kind, count in report.bad.most_common())
        raise VisatbError(
            f"{where}: {number} of {report.records} records cannot be used ({kinds}); "
            f"mend them, or allow a share with on_bad_records:\n{bullet_list(report.offenders)}"
        )


def _placed_records(task: str, split: str, files: Sequence[str | Path]) -> Iterator[tuple[str, Any]]:
    paths = [Path(file) for file in files]
    sizes = [path.stat().st_size if path.is_file() else 0 for path in paths]
    megabytes = max(1, sum(sizes) // 2**20)
    progress = Progress(f"{task} {split}", "MB of annotations checked", megabytes)
    before, number = 0, 0
    try:
        for path, size in zip(paths, sizes, strict=True):
            for place, read, record in placed_records(path):
                number += 1
                progress.at(min((before + read) // 2**20, megabytes - 1), f"{number} records")
                yield place, record
            before += size
    except VisatbError as error:
        raise VisatbError(f"task '{task}', split {split}: {error}") from error


class Images:
    """The images of a folder. Each file is looked at once, however many records show it."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._real_folder = os.path.realpath(folder)
        self._looked_at: dict[str, str | BadRecordError] = {}

    def path(self, name: object) -> str:
        """Return the path of an image from the working directory; raise `BadRecordError` if it cannot be used."""
        if not isinstance(name, str):
            raise BadRecordError("image", f"'image' is {_kind(name)}, expected the path of one image")
        if name not in self._looked_at:
            self._looked_at[name] = self._look_at(name)
        looked_at = self._looked_at[name]
        if isinstance(looked_at, BadRecordError):
            raise BadRecordError(looked_at.kind, str(looked_at))
        return looked_at

    def _look_at(self, name: str) -> str | BadRecordError:
        path = self._folder / name
        try:
            real = os.path.realpath(path)
            if os.path.commonpath([real, self._real_folder]) != self._real_folder:
                return BadRecordError("image outside", f"the image '{name}' lies outside of {self._folder}")
            if not os.path.isfile(real):
                no_folder = "" if self._folder.is_dir() else f"; there is no folder {self._folder} (image_folder)"
                return BadRecordError("missing image", f"the image {path} is not there{no_folder}")
            with Image.open(path) as image:
                image.verify()
        except Exception as error:  # Pillow's decoders raise what they like
            return BadRecordError("unreadable image", f"the image {path} cannot be read ({error})")
        return str(path)


@dataclass(frozen=True)
class _Checks:
    """What a record of one task's split must be."""

    task: str
    split: str
    images: Images
    with_boxes: bool

    def checked(self, record: Any) -> dict[str, Any]:
        """Return a record as a row of `RECORD_SCHEMA`, or raise `BadRecordError`."""
        if not isinstance(record, dict):
            raise BadRecordError("no record", f"expected an object with id and conversations, found {_kind(record)}")
        name = record.get("id")
        if isinstance(name, bool) or not isinstance(name, str | int) or name == "":
            raise BadRecordError("no id", f"'id' is {_kind(name)}, expected text or a whole number")
        if record.get("task", self.task) != self.task:
            raise BadRecordError("other task", f"is of the task '{record['task']}', expected '{self.task}'")
        turns, truths = _turns(record.get("conversations"), self.split)
        if self.with_boxes:
            _check_boxes(turns, truths)
        image = None if record.get("image") in (None, "") else self.images.path(record["image"])
        if image is None and any("<image>" in turn["value"] for turn in turns):
            raise BadRecordError("no image", "says <image> but names no image; add 'image' or take <image> away")
        return {"id": _encodable(str(name)), "image": image, "conversations": turns, "truths": truths}


def _turns(conversations: Any, split: str) -> tuple[list[dict[str, str]], list[str]]:
    if not isinstance(conversations, list) or not conversations:
        raise BadRecordError("no conversation", "has no list of 'conversations'")
    turns: list[dict[str, str]] = []
    truths: list[str] = []
    for number, turn in enumerate(conversations, start=1):
        speaker = SPEAKERS[1 - number % 2]
        if not isinstance(turn, dict) or turn.get("from") != speaker:
            found = repr(turn.get("from")) if isinstance(turn, dict) else _kind(turn)
            raise BadRecordError("turns", f"turn {number} is from {found}, expected '{speaker}'")
        truths = _texts(turn.get("value"), number, several=speaker == "gpt" and split != "train")
        turns.append({"from": speaker, "value": truths[0]})
    if len(turns) % 2:
        raise BadRecordError("turns", "ends with a human turn, expected an answer from 'gpt'")
    return turns, truths


def _texts(value: Any, number: int, several: bool) -> list[str]:
    texts = value if isinstance(value, list) and several and value else [value]
    for text in texts:
        if not isinstance(text, str):
            raise BadRecordError("turn value", f"the 'value' of turn {number} is {_kind(text)}, expected text")
        if not text.strip():
            raise BadRecordError("empty turn", f"turn {number} (from {SPEAKERS[1 - number % 2]}) is empty")
        _encodable(text)
    return texts


def _encodable(text: str) -> str:
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


def _kind(value: object) -> str:
    """Return what a JSON value is."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true or false", type(None): "missing"}
    return names.get(type(value), f"the number {value}")
