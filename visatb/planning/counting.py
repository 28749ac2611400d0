"""The tokens of every task as a training will read them, and the model's size; nothing is trained."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd
import pyarrow as pa

from visatb.data.mixtures import subset_rows
from visatb.errors import VisatbError
from visatb.models.assembly import Components, described
from visatb.models.families import load_config, load_processor
from visatb.models.tiny import build_tiny
from visatb.planning.jobs import CountJob
from visatb.planning.token_counts import TokenCounter, model_size
from visatb.planning.token_ledger import COUNTED_AT_MOST, Counts, MicroBatches, token_ledger
from visatb.runtime.files import parquet_batches, parquet_length, taken_rows
from visatb.runtime.progress import say

BATCH = 4096
"""Records that are read at a time."""


@dataclass(frozen=True)
class CountedTokens:
    """What was counted.

    Attributes:
        counts: task -> tokens of its train records.
        sizes: ``parameters`` and ``trained`` of the model, ``blank_row`` (tokens), ``answer_tokens`` (``task/split`` ->
            mean tokens of a true answer); or, where the model cannot be had yet, under ``missing`` why.
    """

    counts: Mapping[str, Counts] = field(default_factory=dict)
    sizes: Mapping[str, Any] = field(default_factory=dict)

    def table(self) -> pa.Table:
        """Return a row a counted record, as `visatb.planning.token_ledger.read_counts` reads it."""
        tables = [counted.table.assign(task=task) for task, counted in self.counts.items()]
        counted = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame({"task": pd.Series(dtype=str)})
        return pa.Table.from_pandas(counted, preserve_index=False)

    def ledger(self, job: CountJob) -> pd.DataFrame:
        """Return the ledger of the train splits (`visatb.planning.token_ledger.token_ledger`)."""
        blank = self.sizes.get("blank_row", 0)
        return token_ledger(self.counts, MicroBatches(job.micro_batch_size, job.packing, blank, job.seed))


def count_tokens(job: CountJob, records: Path) -> CountedTokens:
    """Count the tokens of the records ``<records>/<task>/<split>.parquet``; nothing of a model on a hub out of reach.

    Raises:
        VisatbError: the model is a folder here and cannot be read.
    """
    try:
        config, processor = described_model(job)
    except VisatbError as error:
        if job.base and Path(job.base).exists():
            raise
        say(f"tokens are not counted: {error}")
        return CountedTokens(sizes={"missing": str(error)})
    counter = TokenCounter(processor, job.max_length)
    counts: dict[str, Counts] = {}
    answers: dict[str, float] = {}
    for task, split in job.splits:
        path = records / task / f"{split}.parquet"
        if split == "train":
            counts[task] = _train_counts(counter, path, job.seed, task)
        else:
            answers[f"{task}/{split}"] = _answer_tokens(counter, path, job.seed, task)
    size = model_size(config, job.freeze)
    sizes = {"parameters": size.parameters, "trained": size.trained, "blank_row": counter.blank_row()}
    return CountedTokens(counts, sizes | {"answer_tokens": answers})


def described_model(job: CountJob) -> tuple[Any, Any]:
    """Return configuration and processor of the model.

    Raises:
        VisatbError: it cannot be read, or is on a hub that cannot be reached.
    """
    if job.tiny:
        model, processor = build_tiny(job.tiny, 0)
        with TemporaryDirectory() as folder:  # trainings see it as it is loaded
            model.config.save_pretrained(folder)
            processor.save_pretrained(folder)
            return load_config(folder), load_processor(folder)
    if job.components:
        return described(Components(**job.components))
    return load_config(str(job.base)), load_processor(str(job.base))


def _train_counts(counter: TokenCounter, path: Path, seed: int, task: str) -> Counts:
    table = _drawn(path, ["image", "conversations"], seed, task)
    return Counts(parquet_length(path), counter.count(table.to_pylist()))


def _answer_tokens(counter: TokenCounter, path: Path, seed: int, task: str) -> float:
    texts = _drawn(path, ["truths"], seed, task)["truths"].combine_chunks().flatten().to_pylist()
    return float(counter.answer_tokens(texts).mean())


def _drawn(path: Path, columns: list[str], seed: int, task: str) -> pa.Table:
    """Read as many records as are counted; only these are kept in memory."""
    total = parquet_length(path)
    rows = subset_rows(total, min(total, COUNTED_AT_MOST), seed, task)
    return taken_rows(parquet_batches(path, columns, BATCH), rows)
