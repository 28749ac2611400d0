"""What the samples of a task are asked."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visatb.runtime.files import read_parquet


def sampled_questions(files: Sequence[str | Path], samples: int, seed: int) -> list[str]:
    """Return the first questions of as many random records of each file, without the mark of the image.

    Args:
        files: records (`visatb.data.records.RECORD_SCHEMA`).
        samples: how many are drawn of each file; all where it holds no more.
        seed: of the drawing.
    """
    questions = []
    for file in files:
        conversations = read_parquet(file, ["conversations"])["conversations"]
        rows = np.sort(np.random.default_rng(seed).permutation(len(conversations))[:samples])
        for turns in conversations.take(rows).to_pylist():
            questions.append(next(turn["value"] for turn in turns if turn["from"] == "human"))
    return [question.replace("<image>", " ").strip() for question in questions]
