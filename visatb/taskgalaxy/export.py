"""Accepted samples as LLaVA JSON lines: tasks, splits by picture, and what is left out of them."""

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from visatb.config.taskgalaxy import ExportConfig
from visatb.errors import VisatbError, bullet_list
from visatb.runtime.files import atomic_path, write_table
from visatb.taskgalaxy.clusters import clusters
from visatb.taskgalaxy.embedding import Vectors
from visatb.taskgalaxy.tables import EXPORT_SCHEMA, KEPT, Row, kept, rejected, write_stage

SPLITS = ("train", "val", "test")


def task_of_types(types: Sequence[Row], vectors: Vectors, used: set[str], settings: ExportConfig) -> dict[str, str]:
    """Return type id -> task, of the types that accepted samples have.

    Args:
        types: rows of `TYPE_SCHEMA`.
        vectors: their embeddings, in the same order.
        used: ids of the types of accepted samples.
        settings: what ``task`` says, the number of clusters and their seed.
    """
    numbers = [number for number, row in enumerate(types) if row["id"] in used]
    if settings.task == "level_1":
        return {types[number]["id"]: types[number]["level_1"] for number in numbers}
    assigned = clusters(vectors[numbers], settings.clusters, settings.seed)
    width = len(str(settings.clusters))
    return {
        types[number]["id"]: f"cluster-{cluster + 1:0{width}d}"
        for number, cluster in zip(numbers, assigned, strict=True)
    }


def split_of(digest: str, seed: int, shares: tuple[float, float]) -> str:
    """Return the split of a picture, which depends on its content and the seed alone."""
    drawn = int(hashlib.sha256(f"{seed}/{digest}".encode()).hexdigest()[:13], 16) / 16**13
    if drawn < shares[0]:
        return "val"
    return "test" if drawn < sum(shares) else "train"


def export_rows(
    samples: Sequence[Row], types: Sequence[Row], task_of: Mapping[str, str], settings: ExportConfig
) -> list[Row]:
    """Return accepted samples as rows of `EXPORT_SCHEMA`, ordered by id; those of small tasks are rejected."""
    levels = {row["id"]: {name: row[name] for name in ("level_1", "level_2", "level_3")} for row in types}
    names = ("id", "image", "digest", "type", "question", "answer", "votes")
    rows = [
        {name: sample[name] for name in names}
        | levels[sample["type"]]
        | {
            "task": task_of[sample["type"]],
            "split": split_of(sample["digest"], settings.seed, (settings.val, settings.test)),
            **kept(),
        }
        for sample in sorted(samples, key=lambda sample: sample["id"])
    ]
    sizes = Counter(row["task"] for row in rows)
    filled = {(row["task"], row["split"]) for row in rows}
    for row in rows:
        if sizes[row["task"]] < settings.min_samples:
            row |= rejected("task with too few samples", f"{row['task']}: {sizes[row['task']]}")
        elif missing := [split for split in SPLITS if (row["task"], split) not in filled]:
            row |= rejected("task without samples in a split", f"{row['task']}: {', '.join(missing)}")
    return rows


def llava_record(row: Row) -> Row:
    """Return a sample in LLaVA's format, with what it was made from beside it."""
    return {
        "id": row["id"],
        "image": row["image"],
        "conversations": [
            {"from": "human", "value": f"<image>\n{row['question']}"},
            {"from": "gpt", "value": row["answer"]},
        ],
        "task": row["task"],
        "type": [row["level_1"], row["level_2"], row["level_3"]],
        "votes": row["votes"],
    }


def write_export(rows: Sequence[Row], folder: str | Path, table: str | Path, tasks: str | Path) -> None:
    """Write ``<split>.jsonl`` into ``folder``, the table of all rows, and the numbers of each task.

    Raises:
        VisatbError: no task is left.
    """
    good = [row for row in rows if row["status"] == KEPT]
    if not good:
        reasons = Counter(row["detail"] or row["reason"] for row in rows)
        listed = bullet_list(f"{reason} ({count})" for reason, count in reasons.most_common(10))
        raise VisatbError(
            f"{folder}: no task has enough of the {len(rows)} accepted samples; lower taskgalaxy.export.min_samples, "
            f"or add pictures and types:\n{listed}"
        )
    for split in SPLITS:
        with atomic_path(Path(folder) / f"{split}.jsonl") as temporary, temporary.open("w", encoding="utf-8") as stream:
            for row in good:
                if row["split"] == split:
                    stream.write(json.dumps(llava_record(row), ensure_ascii=False) + "\n")
    write_table(tasks, _task_table(good))
    write_stage(table, list(rows), EXPORT_SCHEMA)


def _task_table(rows: Sequence[Row]) -> pd.DataFrame:
    frame = pd.DataFrame(rows)
    grouped = frame.groupby("task", sort=True)
    table = pd.DataFrame({"types": grouped["type"].nunique(), "pictures": grouped["digest"].nunique()})
    for split in SPLITS:
        table[split] = frame[frame["split"] == split].groupby("task").size()
    table["examples"] = grouped["level_3"].agg(lambda names: "; ".join(names.value_counts().index[:3]))
    return table.reset_index()
