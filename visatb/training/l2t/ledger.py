"""A ledger of tokens under L2T: what is learned of each task, and what is left out for which reason."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pandas as pd
from transformers import ProcessorMixin

from visatb.data.chat import chat_messages
from visatb.errors import VisatbError
from visatb.runtime.files import read_parquet
from visatb.training.batches.collator import BLANK
from visatb.training.l2t.instructions import CATEGORIES, IMAGE, Instructions, categories, render


def instruction_ledger(
    processor: ProcessorMixin, records: Mapping[str, str | Path], instructions: Instructions
) -> pd.DataFrame:
    """Return a row a task and kind of token: ``task``, ``tokens_are``, ``learned``, ``weight``, ``tokens``, ``share``.

    Image tokens are no labels and are not counted. Samples count whole, before any is cut at max_length.

    Args:
        processor: of the model, for its tokenizer and chat template.
        records: task -> its train split (Parquet with ``image`` and ``conversations``).
        instructions: what is learned of them.

    Raises:
        VisatbError: naming the task and record whose text cannot be followed into tokens.
    """
    weights = {"response": 1.0, "instruction": instructions.weight}
    rows = []
    for task, path in records.items():
        counts = _counted(processor, task, path, instructions)
        total = sum(counts.values())
        for kind in CATEGORIES[:IMAGE]:
            weight = weights.get(kind, 0.0)
            rows.append((task, kind, "yes" if weight else "no", weight, counts[kind], counts[kind] / total))
    return pd.DataFrame(rows, columns=["task", "tokens_are", "learned", "weight", "tokens", "share"])


def _counted(processor: ProcessorMixin, task: str, path: str | Path, instructions: Instructions) -> Counter[str]:
    counts: Counter[int] = Counter()
    for batch in read_parquet(path, ["id", "image", "conversations"]).to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            messages = chat_messages(row["conversations"], BLANK if row["image"] else None)
            try:
                counts.update(categories(render(processor, messages), instructions, processor.image_token_id))
            except VisatbError as error:
                raise VisatbError(f"task '{task}', record '{row['id']}': {error}") from error
    return Counter({kind: counts[number] for number, kind in enumerate(CATEGORIES) if number != IMAGE})
