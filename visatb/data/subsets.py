"""Subsets that come ready-made: which rows of a task's train split they are, and whether mini lies within large."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from visatb.errors import VisatbError, bullet_list
from visatb.runtime.files import read_parquet

ROW_SCHEMA = pa.schema([("row", pa.int64())])
SHOWN = 5


def rows_of_subset(subset: pa.Table, train: pa.Table, where: str) -> np.ndarray:
    """Return the rows of ``train`` that hold the records of ``subset``, in its order, shape [len(subset)].

    Records are told by what they say, image and conversation, for an id can differ from file to file. Of equal
    records of ``train`` each is taken once.

    Args:
        subset: checked records of the ready-made file.
        train: checked records of the train split.
        where: for messages, e.g. ``task 'GQA', mini``.

    Raises:
        VisatbError: a record of ``subset`` is not in ``train``, or more often than there.
    """
    places: dict[bytes, list[int]] = defaultdict(list)
    for row, key in enumerate(_keys(train)):
        places[key].append(row)
    for rows in places.values():
        rows.reverse()
    taken, missing = [], []
    for number, key in enumerate(_keys(subset)):
        if places.get(key):
            taken.append(places[key].pop())
        else:
            missing.append(number)
    if missing:
        shown = subset.take(missing[:SHOWN])["id"].to_pylist()
        raise VisatbError(
            f"{where}: {len(missing)} of {len(subset)} ready-made records are not in train, or more often than there; "
            f"take them from the same release, or have the subset drawn. The first, by id:\n{bullet_list(shown)}"
        )
    return np.array(taken, np.int64)


def check_nested(mini: np.ndarray, large: np.ndarray, train: pa.Table, task: str) -> None:
    """Raise `VisatbError` if a row of ``mini`` is not in ``large``: Eq. 3 compares training on one within the other."""
    outside = np.setdiff1d(mini, large)
    if len(outside):
        shown = train.take(outside[:SHOWN])["id"].to_pylist()
        raise VisatbError(
            f"task '{task}': {len(outside)} of {len(mini)} records of its mini subset are not in its large subset; "
            f"mini must lie within large. The first, by id:\n{bullet_list(shown)}"
        )


def subset_table(rows: np.ndarray) -> pa.Table:
    """Return rows as a table to be written."""
    return pa.table({"row": rows}, schema=ROW_SCHEMA)


def read_rows(files: Mapping[str, str | Path]) -> dict[tuple[str, str], np.ndarray]:
    """Return (task, subset) -> the rows in the file (`subset_table`) that ``task:subset`` names."""
    rows = {}
    for name, file in files.items():
        task, _, subset = name.rpartition(":")
        rows[task, subset] = read_parquet(file)["row"].to_numpy()
    return rows


def _keys(table: pa.Table) -> Iterable[bytes]:
    for batch in table.select(["image", "conversations"]).to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            yield _key(row)


def _key(row: Mapping[str, Any]) -> bytes:
    text = json.dumps([row["image"], [[turn["from"], turn["value"].strip()] for turn in row["conversations"]]])
    return hashlib.sha256(text.encode()).digest()[:16]
