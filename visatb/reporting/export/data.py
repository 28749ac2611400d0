"""The training data of an experiment as JSON lines that other training programs read."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from visatb.data.mixtures import subset_rows
from visatb.runtime.files import atomic_path

Turn = dict[str, str]
ROLES = {"human": "user", "gpt": "assistant"}


def write_conversations(path: str | Path, records: pa.Table, task: str, seed: int) -> None:
    """Write a task's records in LLaVA's format, one a line: ``id``, ``image``, ``images``, ``conversations``.

    The lines are in random order, that of the experiment's own subsets, for programs that take the first ones.
    ``image`` is an absolute path and is missing where there is none; ``images`` lists it for programs that want a list.
    """
    _write_lines(path, (_conversation(row) for row in _shuffled(records, task, seed)))


def write_messages(path: str | Path, records: pa.Table, task: str, seed: int, weight: float) -> None:
    """Write a task's records as chat messages, one a line: ``messages``, ``images``, ``channel`` (the task).

    Answers carry ``loss_scale``, the task's weight. There is no mark for the image, which is before the first question.
    """
    _write_lines(path, (_messages(row, task, weight) for row in _shuffled(records, task, seed)))


def _write_lines(path: str | Path, rows: Iterator[dict[str, Any]]) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as stream:
        for row in rows:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")


def _shuffled(records: pa.Table, task: str, seed: int) -> Iterator[dict[str, Any]]:
    columns = records.select(["id", "image", "conversations"])
    for row in subset_rows(len(records), len(records), seed, task):
        yield from columns.slice(int(row), 1).to_pylist()


def _conversation(row: dict[str, Any]) -> dict[str, Any]:
    image = _absolute(row["image"])
    own = {"image": image} if image else {}
    turns = _marked(row["conversations"], has_image=image is not None)
    return {"id": row["id"], **own, "images": [image] if image else [], "conversations": turns}


def _messages(row: dict[str, Any], task: str, weight: float) -> dict[str, Any]:
    messages: list[dict[str, Any]] = []
    for turn in row["conversations"]:
        scale = {"loss_scale": weight} if turn["from"] == "gpt" else {}
        messages.append({"role": ROLES[turn["from"]], "content": _plain(turn), **scale})
    image = _absolute(row["image"])
    return {"messages": messages, "images": [image] if image else [], "channel": task}


def _marked(turns: Sequence[Turn], has_image: bool) -> list[Turn]:
    """Return the turns with the mark ``<image>`` once, where the experiment's own trainings have the image."""
    human = [number for number, turn in enumerate(turns) if turn["from"] == "human"]
    marked = [number for number in human if "<image>" in turns[number]["value"]]
    first = (marked or human)[0] if has_image else None
    texts = [_plain(turn) for turn in turns]
    return [
        {"from": turn["from"], "value": f"<image>\n{text}" if number == first else text}
        for number, (turn, text) in enumerate(zip(turns, texts, strict=True))
    ]


def _plain(turn: Turn) -> str:
    return turn["value"].replace("<image>", "").strip()


def _absolute(image: str | None) -> str | None:
    return None if image is None else str(Path(image).absolute())
