"""The tables between the stages: every row that a stage was given is in its table, kept or rejected with a reason."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from visatb.errors import VisatbError
from visatb.runtime.files import read_parquet, write_parquet

KEPT, REJECTED = "kept", "rejected"
_VERDICT = [("status", pa.string()), ("reason", pa.string()), ("detail", pa.string())]
_TYPE = [("level_1", pa.string()), ("level_2", pa.string()), ("level_3", pa.string())]
_PAIR = [("image", pa.string()), ("digest", pa.string()), ("type", pa.string())]
_EXCHANGE = [("question", pa.string()), ("answer", pa.string())]

TYPE_SCHEMA = pa.schema([("id", pa.string()), *_TYPE, ("origin", pa.string()), *_VERDICT])
PICTURE_SCHEMA = pa.schema(
    [("image", pa.string()), ("digest", pa.string()), ("width", pa.int32()), ("height", pa.int32()), *_VERDICT]
)
MATCH_SCHEMA = pa.schema([*_PAIR, ("rank", pa.int32()), ("cosine", pa.float64()), *_VERDICT])
CANDIDATE_SCHEMA = pa.schema(
    [("id", pa.string()), *_PAIR, ("cosine", pa.float64()), *_VERDICT, ("request", pa.string())]
)
SAMPLE_SCHEMA = pa.schema([("id", pa.string()), *_PAIR, *_EXCHANGE, *_VERDICT, ("request", pa.string())])
_VOTES = [("vote", pa.int8()), ("question_vote", pa.int8()), ("answer_vote", pa.int8())]
VOTE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("judge", pa.string()),
        ("model", pa.string()),
        *_VOTES,
        ("reason", pa.string()),
        ("request", pa.string()),
    ]
)
JUDGED_SCHEMA = pa.schema([("id", pa.string()), *_PAIR, *_EXCHANGE, ("votes", pa.int8()), *_VERDICT])
_PLACE = [("task", pa.string()), ("split", pa.string())]
EXPORT_SCHEMA = pa.schema([("id", pa.string()), *_PAIR, *_TYPE, *_EXCHANGE, ("votes", pa.int8()), *_PLACE, *_VERDICT])

Row = dict[str, Any]


def kept() -> Row:
    """Return the columns of a row that goes on."""
    return {"status": KEPT, "reason": None, "detail": None}


def rejected(reason: str, detail: str | None = None) -> Row:
    """Return the columns of a row that does not. ``reason`` is counted in the funnel, ``detail`` is of this row."""
    return {"status": REJECTED, "reason": reason, "detail": detail}


def sample_id(digest: str, type_id: str) -> str:
    """Return the id of a picture's sample of a type: it depends on the picture's content and the type alone."""
    return hashlib.sha256(f"{digest}/{type_id}".encode()).hexdigest()[:16]


def write_stage(path: str | Path, rows: list[Row], schema: pa.Schema, usage: Mapping[str, Any] | None = None) -> None:
    """Write a stage's table. ``usage``: what its requests took (`visatb.taskgalaxy.asking.Usage`) as JSON values."""
    names = [row["id"] for row in rows] if "id" in schema.names and "judge" not in schema.names else []
    if len(set(names)) < len(names):
        raise VisatbError(f"{path}: an id is there twice; this is a mistake of the program, not of yours")
    table = pa.Table.from_pylist(rows, schema=schema)
    write_parquet(path, table.replace_schema_metadata({"visatb": json.dumps(dict(usage or {}))}))


def read_usage(path: str | Path) -> dict[str, Any]:
    """Return what the requests of a stage took, empty for a stage that asks nothing."""
    metadata = read_parquet(path).schema.metadata or {}
    return json.loads(metadata.get(b"visatb", b"{}"))


def kept_rows(path: str | Path, columns: list[str] | None = None) -> list[Row]:
    """Return the rows of a stage's table that go on."""
    wanted = None if columns is None else [*columns, "status"]
    table = read_parquet(path, wanted)
    return table.filter(pc.equal(table["status"], KEPT)).to_pylist()
