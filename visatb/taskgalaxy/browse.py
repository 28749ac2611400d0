"""A page to leaf through accepted and rejected examples with their pictures. It works offline and loads nothing."""

import base64
import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

from visatb.endpoints.images import jpeg
from visatb.runtime.files import read_parquet, write_text
from visatb.taskgalaxy.tables import KEPT, Row

THUMBNAIL = 192
"""Longest side of a thumbnail in pixels."""

STAGES = ("filter_types", "write_questions", "vote", "export_taskgalaxy")
"""The stages that reject single samples, in their order."""


def write_page(
    tables: Mapping[str, str | Path],
    votes: str | Path,
    types: Sequence[Row],
    images: str | Path,
    number: int,
    output: str | Path,
) -> None:
    """Write the page.

    Args:
        tables: stage -> its table, of `STAGES`.
        votes: the table of votes.
        types: rows of `TYPE_SCHEMA`.
        images: the folder of pictures.
        number: examples to show: about as many of each outcome, those with the smallest digests of their ids.
        output: the page.
    """
    outcomes = _outcomes(tables)
    shown = draw_examples(outcomes, number)
    of_type = {row["id"]: row for row in types}
    of_sample = _votes(votes, {row["id"] for row in shown})
    total = sum(map(len, outcomes.values()))
    about = f"{len(shown)} of {total} examples, drawn so that every outcome is there; taskgalaxy.browse sets how many."
    examples = [_example(row, of_type[row["type"]], of_sample.get(row["id"], []), images) for row in shown]
    template = Path(__file__).with_name("browse.html").read_text(encoding="utf-8")
    write_text(output, template.replace("__DATA__", as_script({"about": about, "examples": examples})))


def as_script(value: Any) -> str:
    """Return JSON that can stand in a script element: nothing in it can end the element."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def draw_examples(outcomes: Mapping[str, Sequence[Row]], number: int) -> list[Row]:
    """Return about ``number`` rows, as many of each outcome as there are or fit, always the same ones."""
    queues = [sorted(rows, key=lambda row: sha256(row["id"].encode()).digest()) for rows in outcomes.values()]
    picked: list[Row] = []
    depth = 0
    while len(picked) < number and any(len(queue) > depth for queue in queues):
        picked += [queue[depth] for queue in queues if len(queue) > depth]
        depth += 1
    return sorted(picked[:number], key=lambda row: (row["outcome"], row["id"]))


def _outcomes(tables: Mapping[str, str | Path]) -> dict[str, list[Row]]:
    outcomes: dict[str, list[Row]] = {}
    for stage in STAGES:
        for row in read_parquet(tables[stage]).to_pylist():
            if row["status"] != KEPT:
                outcome = f"rejected: {row['reason']}"
            elif stage == STAGES[-1]:
                outcome = "accepted"
            else:
                continue
            outcomes.setdefault(outcome, []).append(row | {"outcome": outcome})
    return outcomes


def _votes(path: str | Path, wanted: set[str]) -> dict[str, list[str]]:
    votes: dict[str, list[str]] = {}
    for row in read_parquet(path).to_pylist():
        if row["id"] in wanted:
            ballot = f"{row['judge']}: question {_sign(row['question_vote'])}, answer {_sign(row['answer_vote'])}"
            votes.setdefault(row["id"], []).append(f"{ballot}. {row['reason'] or ''}".strip())
    return votes


def _sign(vote: int | None) -> str:
    return "?" if vote is None else str(vote)


def _example(row: Row, kind: Row, votes: Sequence[str], images: str | Path) -> dict[str, Any]:
    path = Path(images) / row["image"]
    thumbnail = base64.b64encode(jpeg(str(path), path.read_bytes(), THUMBNAIL, quality=80)).decode()
    return {
        "id": row["id"],
        "image": row["image"],
        "outcome": row["outcome"],
        "kept": row["status"] == KEPT,
        "task": row.get("task") or kind["level_1"],
        "type": " > ".join((kind["level_1"], kind["level_2"], kind["level_3"])),
        "question": row.get("question"),
        "answer": row.get("answer"),
        "detail": None if votes else row["detail"],
        "votes": list(votes),
        "thumbnail": f"data:image/jpeg;base64,{thumbnail}",
    }
