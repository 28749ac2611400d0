"""How many of what each stage was given went on, why the others did not, and what it was made with."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from visatb.errors import VisatbError
from visatb.runtime.files import read_parquet
from visatb.taskgalaxy.tables import KEPT, read_usage

STAGES = (
    ("expand_types", "types"),
    ("deduplicate_types", "types"),
    ("list_images", "pictures"),
    ("match_types", "matches"),
    ("filter_types", "matches"),
    ("write_questions", "samples"),
    ("vote", "samples"),
    ("export_taskgalaxy", "samples"),
)
"""Stage and what its rows are, in their order."""

FOLLOWS = {
    "deduplicate_types": "expand_types",
    "filter_types": "match_types",
    "write_questions": "filter_types",
    "vote": "write_questions",
    "export_taskgalaxy": "vote",
}
"""Stages that are given exactly what another one has kept."""


def funnel(tables: Mapping[str, str | Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a row a stage, and a row a stage and reason of rejection.

    Args:
        tables: stage -> its table.

    The first has ``stage``, ``unit``, ``given``, ``kept``, ``rejected``, ``requests``, ``prompt_tokens``,
    ``completion_tokens``, ``cost`` (empty without prices) and ``models``; the second ``stage``, ``reason``, ``count``.

    Raises:
        VisatbError: a stage has not told of every row that it was given.
    """
    rows, reasons = [], []
    for stage, unit in STAGES:
        table = read_parquet(tables[stage], ["status", "reason"]).to_pylist()
        count = Counter(row["status"] for row in table)
        usage = read_usage(tables[stage])
        rows.append({"stage": stage, "unit": unit, "given": len(table), "kept": count[KEPT]} | _usage(usage))
        rejections = Counter(row["reason"] for row in table if row["status"] != KEPT)
        reasons += [{"stage": stage, "reason": reason, "count": number} for reason, number in rejections.most_common()]
    _check_none_lost(rows)
    frame = pd.DataFrame(rows)
    frame.insert(4, "rejected", frame["given"] - frame["kept"])
    return frame, pd.DataFrame(reasons, columns=["stage", "reason", "count"])


def _usage(usage: Mapping[str, Any]) -> dict[str, Any]:
    numbers = {name: usage.get(name) for name in ("requests", "prompt_tokens", "completion_tokens", "cost")}
    return numbers | {"models": ", ".join(usage.get("models", [])) or None}


def _check_none_lost(rows: Sequence[Mapping[str, Any]]) -> None:
    stages = {row["stage"]: row for row in rows}
    for stage, before in FOLLOWS.items():
        given, kept = stages[stage]["given"], stages[before]["kept"]
        if given != kept:
            raise VisatbError(
                f"{stage} tells of {given} {stages[stage]['unit']}, but {before} has kept {kept}; the tables are not "
                f"of one run: delete that of {stage} and give the same command again"
            )
