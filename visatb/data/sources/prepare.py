"""A task's splits from a public data set as it is published: read, held out, merged, cut and drawn, step by step."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from visatb.config.tasks import SPLITS, SourceConfig
from visatb.data.bad_records import BadRecordError, Report, kind_of
from visatb.data.json_records import located_records
from visatb.data.sources import conversations as steps
from visatb.data.sources.conversations import Conversation
from visatb.data.sources.m3it import m3it_conversation, m3it_records
from visatb.data.sources.refcoco import refcoco_conversations, refcoco_records
from visatb.data.sources.sharegpt import FilteredError, cleaned
from visatb.errors import VisatbError
from visatb.runtime.files import atomic_path, write_json
from visatb.runtime.progress import say

Splits = dict[str, list[Conversation]]


@dataclass(frozen=True)
class Origin:
    """Where a task's raw data are and where its images go.

    Attributes:
        task: the task's name.
        files: split -> raw files.
        images: folder that images which come inside the files are written to.
        task_field: what the records' ``task`` says, where one file holds several tasks.
        other_fields: what it says of the others.
    """

    task: str
    files: Mapping[str, Sequence[str]]
    images: Path
    task_field: str | None = None
    other_fields: Collection[str] = ()


@dataclass
class Account:
    """What became of a task's records, to be written beside its splits."""

    task: str
    reports: dict[str, Report] = field(default_factory=dict)
    filtered: dict[str, Counter[str]] = field(default_factory=dict)
    steps: list[dict[str, Any]] = field(default_factory=list)

    def note(self, step: str, splits: Splits) -> None:
        """Note how many conversations and exchanges a step has left in each split."""
        for split, conversations in splits.items():
            exchanges = sum(len(conversation.exchanges) for conversation in conversations)
            self.steps.append(
                {"step": step, "split": split, "conversations": len(conversations), "exchanges": exchanges}
            )
        counts = (f"{split} {len(conversations)}" for split, conversations in splits.items())
        say(f"[{self.task}] {step}: {', '.join(counts)}")

    def as_json(self) -> dict[str, Any]:
        """Return the account as JSON values."""
        read = [report.as_json() | {"filtered": dict(self.filtered[split])} for split, report in self.reports.items()]
        return {"task": self.task, "read": read, "steps": self.steps}


def write_sources(source: SourceConfig, origin: Origin, folder: str | Path, tolerated: float = 0.0) -> None:
    """Prepare a task's splits and write them as ``<folder>/<split>.jsonl``, with ``report.json`` beside them.

    Raises:
        VisatbError: a file cannot be read, too many records are bad, or there are too few for what is wanted.
    """
    splits, account = prepared(source, origin, tolerated)
    for split, conversations in splits.items():
        with atomic_path(Path(folder) / f"{split}.jsonl") as temporary, temporary.open("w", encoding="utf-8") as stream:
            for conversation in steps.with_unique_ids(conversations):
                stream.write(steps.json_line(conversation))
    write_json(Path(folder) / "report.json", account.as_json())


def prepared(source: SourceConfig, origin: Origin, tolerated: float = 0.0) -> tuple[Splits, Account]:
    """Return the splits of a task and what became of its records. The steps are those of `SourceConfig`, in order."""
    account = Account(origin.task)
    splits = {split: _read(source, origin, split, account, tolerated) for split in SPLITS if origin.files.get(split)}
    account.note("read", splits)
    for step in (_hold_out, _merge_references, _halve, _merge_images, _segments, _draw, _instruct, _cut):
        changed = step(source, origin.task, splits)
        if changed is not None:
            splits = changed
            account.note(step.__name__.strip("_").replace("_", " "), splits)
    return {split: splits[split] for split in SPLITS if split in splits}, account


def _read(source: SourceConfig, origin: Origin, split: str, account: Account, tolerated: float) -> list[Conversation]:
    report = account.reports.setdefault(split, Report(origin.task, split))
    filtered = account.filtered.setdefault(split, Counter())
    conversations: list[Conversation] = []
    for location, record in _raw_records(source, origin, split):
        if _is_of_another(record, origin):
            report.of_other_tasks += 1
            continue
        report.records += 1
        try:
            conversations += _conversations(source, origin, split, record, report.records)
        except FilteredError as error:
            filtered[str(error)] += 1
        except BadRecordError as error:
            report.note(location, error)
    report.refuse_if_bad(origin.files[split], tolerated)
    if not conversations:
        raise VisatbError(f"task '{origin.task}', split {split}: cleaning leaves nothing ({dict(filtered)})")
    return conversations


def _is_of_another(record: Any, origin: Origin) -> bool:
    if origin.task_field is None or not isinstance(record, dict) or record.get("task") == origin.task_field:
        return False
    return record.get("task") in origin.other_fields


def _raw_records(source: SourceConfig, origin: Origin, split: str) -> Iterator[tuple[str, Any]]:
    try:
        for file in map(Path, origin.files[split]):
            if source.format == "m3it":
                yield from m3it_records(file)
            elif source.format == "refcoco":
                yield from refcoco_records(file, getattr(source.parts, split))
            else:
                yield from ((location, record) for location, _, record in located_records(file))
    except VisatbError as error:
        raise VisatbError(f"task '{origin.task}', split {split}: {error}") from error


def _conversations(source: SourceConfig, origin: Origin, split: str, record: Any, number: int) -> list[Conversation]:
    match source.format:
        case "m3it":
            return [m3it_conversation(record, f"{split}-{number}", origin.images)]
        case "sharegpt":
            return [cleaned(record, source.blocked_words)]
        case "refcoco":
            assert source.ask is not None
            together = split != "train"
            return refcoco_conversations(record, source.ask, source.box_decimals, source.image_prefix, together)
    if not isinstance(record, dict):
        raise BadRecordError("no record", f"expected an object with id and conversations, found {kind_of(record)}")
    if origin.task_field is not None and record.get("task") != origin.task_field:
        raise BadRecordError("unknown task", f"'task' says {record.get('task')!r}, expected '{origin.task_field}'")
    return [steps.from_record(record, several=split != "train")]


def _hold_out(source: SourceConfig, task: str, splits: Splits) -> Splits | None:
    if source.hold_out is None:
        return None
    sizes = [source.hold_out.val, source.hold_out.test]
    val, test, train = steps.parted(splits["train"], sizes, source.seed, f"{task}/hold_out")
    return {"train": train, "val": val, "test": test}


def _merge_references(source: SourceConfig, task: str, splits: Splits) -> Splits | None:
    if not source.merge_references:
        return None
    return {
        split: conversations if split == "train" else steps.merged_references(conversations)
        for split, conversations in splits.items()
    }


def _halve(source: SourceConfig, task: str, splits: Splits) -> Splits | None:
    if not source.halve_val:
        return None
    half = len(splits["val"]) // 2
    val, test = steps.parted(splits["val"], [half], source.seed, f"{task}/halve_val")
    return splits | {"val": val, "test": test}


def _merge_images(source: SourceConfig, task: str, splits: Splits) -> Splits | None:
    return splits | {"train": steps.merged_by_image(splits["train"])} if source.merge_images else None


def _segments(source: SourceConfig, task: str, splits: Splits) -> Splits | None:
    if source.max_exchanges is None:
        return None
    return splits | {"train": steps.in_segments(splits["train"], source.max_exchanges)}


def _draw(source: SourceConfig, task: str, splits: Splits) -> Splits | None:
    wanted = {split: size for split, size in source.samples if size is not None} if source.samples else {}
    if not wanted:
        return None
    drawn = {split: steps.drawn(splits[split], size, source.seed, f"{task}/{split}") for split, size in wanted.items()}
    return splits | drawn


def _instruct(source: SourceConfig, task: str, splits: Splits) -> Splits | None:
    text, only_first = source.instruction, source.instruct == "first"
    if text is None:
        return None
    return {
        split: [steps.with_instruction(c, text, only_first) for c in conversations]
        for split, conversations in splits.items()
    }


def _cut(source: SourceConfig, task: str, splits: Splits) -> Splits | None:
    if source.max_tokens is None:
        return None
    from transformers import AutoTokenizer  # loads for seconds, and one source in eight needs it

    tokenizer = AutoTokenizer.from_pretrained(source.tokenizer)

    def tokens(text: str) -> int:
        return len(tokenizer.encode(text, add_special_tokens=False))

    limit = source.max_tokens
    return {
        split: [steps.within_tokens(c, limit, tokens) for c in conversations] for split, conversations in splits.items()
    }
