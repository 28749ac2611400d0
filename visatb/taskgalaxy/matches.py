"""The table of matches: every picture's nearest types, kept or rejected by floor and cap."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from visatb.config.taskgalaxy import MatchLimits
from visatb.runtime.files import read_parquet
from visatb.taskgalaxy.embedding import Vectors, read_vectors
from visatb.taskgalaxy.matching import nearest, within_floor_and_cap
from visatb.taskgalaxy.tables import KEPT, MATCH_SCHEMA, REJECTED, Row, kept_rows


def match_files(
    pictures: Path, picture_vectors: Path, types: Path, type_vectors: Path, limits: MatchLimits, threads: int = 1
) -> pa.Table:
    """Return `match_table` of tables and vectors in files; types that were rejected are no candidates.

    Args:
        pictures: table of pictures.
        picture_vectors: the vectors of those that are kept.
        types: table of types after near duplicates were rejected.
        type_vectors: the vectors of all of them.
        limits: ``top_k``, ``floor`` and ``cap``.
        threads: blocks of pictures at a time.
    """
    rows = read_parquet(types).to_pylist()
    distinct = [number for number, row in enumerate(rows) if row["status"] == KEPT]
    return match_table(
        pictures=kept_rows(pictures, ["image", "digest"]),
        picture_vectors=read_vectors(picture_vectors),
        types=[rows[number] for number in distinct],
        type_vectors=read_vectors(type_vectors)[distinct],
        limits=limits,
        threads=threads,
    )


def match_table(
    pictures: Sequence[Row],
    picture_vectors: Vectors,
    types: Sequence[Row],
    type_vectors: Vectors,
    limits: MatchLimits,
    threads: int = 1,
) -> pa.Table:
    """Return the matches in `MATCH_SCHEMA`, in the pictures' order, each one's best match first.

    Args:
        pictures: rows of `PICTURE_SCHEMA`.
        picture_vectors: their unit vectors; may be mapped from a file.
        types: rows of `TYPE_SCHEMA`.
        type_vectors: their unit vectors.
        limits: ``top_k``, ``floor`` and ``cap``.
        threads: blocks of pictures at a time.
    """
    indices, cosines = nearest(picture_vectors, type_vectors, limits.top_k, threads=threads)
    reaches, within = within_floor_and_cap(indices, cosines, limits.floor, limits.cap)
    number, k = indices.shape
    of_picture = pa.array(np.repeat(np.arange(number), k))
    words = pa.array([None, f"cosine below the floor of {limits.floor:g}", f"type has its {limits.cap} pictures"])
    reason = np.where(within, 0, np.where(reaches, 2, 1)).ravel()
    columns = {
        "image": pa.array([row["image"] for row in pictures], pa.string()).take(of_picture),
        "digest": pa.array([row["digest"] for row in pictures], pa.string()).take(of_picture),
        "type": pa.array([row["id"] for row in types], pa.string()).take(pa.array(indices.ravel())),
        "rank": pa.array(np.tile(np.arange(1, k + 1, dtype=np.int32), number)),
        "cosine": pa.array(cosines.ravel()),
        "status": pa.array([KEPT, REJECTED]).take(pa.array((~within).astype(np.int8).ravel())),
        "reason": words.take(pa.array(reason)),
        "detail": pa.nulls(number * k, pa.string()),
    }
    return pa.table(columns, schema=MATCH_SCHEMA)
