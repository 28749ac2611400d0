"""The table of matches: every picture's nearest types, kept or rejected by floor and cap."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from visatb.config.taskgalaxy import MatchingConfig
from visatb.taskgalaxy.embedding import Vectors
from visatb.taskgalaxy.matching import nearest, within_floor_and_cap
from visatb.taskgalaxy.tables import KEPT, MATCH_SCHEMA, REJECTED, Row


def match_table(
    pictures: Sequence[Row],
    picture_vectors: Vectors,
    types: Sequence[Row],
    type_vectors: Vectors,
    settings: MatchingConfig,
    threads: int = 1,
) -> pa.Table:
    """Return the matches in `MATCH_SCHEMA`, in the pictures' order, each one's best match first.

    Args:
        pictures: rows of `PICTURE_SCHEMA`.
        picture_vectors: their unit vectors; may be mapped from a file.
        types: rows of `TYPE_SCHEMA`.
        type_vectors: their unit vectors.
        settings: ``top_k``, ``floor`` and ``cap``.
        threads: blocks of pictures at a time.
    """
    indices, cosines = nearest(picture_vectors, type_vectors, settings.top_k, threads=threads)
    reaches, within = within_floor_and_cap(indices, cosines, settings.floor, settings.cap)
    number, k = indices.shape
    of_picture = pa.array(np.repeat(np.arange(number), k))
    words = pa.array([None, f"cosine below the floor of {settings.floor:g}", f"type has its {settings.cap} pictures"])
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
