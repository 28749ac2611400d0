"""Types that are nearly the same as an earlier one: they are rejected and listed, never silently dropped."""

from collections.abc import Sequence

import pandas as pd

from visatb.taskgalaxy.embedding import Vectors
from visatb.taskgalaxy.matching import near_duplicates
from visatb.taskgalaxy.tables import Row, rejected
from visatb.taskgalaxy.types import ARROW


def dedup_types(rows: Sequence[Row], vectors: Vectors, threshold: float) -> tuple[list[Row], pd.DataFrame]:
    """Return all types with those rejected that are near to an earlier one, and a table of these.

    Args:
        rows: types that were kept so far, in the tree's order.
        vectors: their unit vectors.
        threshold: cosine from which on two types count as one.

    The table has ``type``, ``instead`` (the earlier type that stays) and ``cosine``, the nearest pairs first.
    """
    verdicts = list(map(dict, rows))
    pairs = []
    for number, earlier, cosine in near_duplicates(vectors, threshold):
        verdicts[number] |= rejected("near duplicate of another type", _path(rows[earlier]))
        pairs.append((_path(rows[number]), _path(rows[earlier]), cosine))
    table = pd.DataFrame(pairs, columns=["type", "instead", "cosine"])
    return verdicts, table.sort_values("cosine", ascending=False, kind="stable", ignore_index=True)


def _path(row: Row) -> str:
    return ARROW.join((row["level_1"], row["level_2"], row["level_3"]))
