"""Files of per-sample scores: their columns, and what they say of themselves."""

import json
from typing import Any

import pyarrow as pa

from visatb.scores.origins import MEASURED

SCORE_SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("metric", pa.string()),
        ("numerator", pa.float64()),
        ("denominator", pa.float64()),
        ("valid", pa.bool_()),
        ("truncated", pa.bool_()),
    ]
)

ABOUT = b"visatb"
"""Key of a score file's metadata: the metrics' versions and, of judged answers, who judged at what cost, as JSON."""

NO_JUDGE: dict[str, Any] = {"judge": None, "tokens": None, "cost": None}

Evaluation = tuple[str, str, str]
"""(run, split, task)"""


def about_scores(table: pa.Table) -> dict[str, Any]:
    """Return what a file of scores says of itself.

    ``versions`` of its metrics; ``judge``; of scores that come from elsewhere ``origin``, and the metrics that are
    ``unpaired`` (their samples are no other run's) and those of ``unknown_spread``.
    """
    absent = {"origin": MEASURED, "unpaired": [], "unknown_spread": []}
    stored: dict[str, Any] = json.loads((table.schema.metadata or {}).get(ABOUT, b"{}"))
    return absent | stored
