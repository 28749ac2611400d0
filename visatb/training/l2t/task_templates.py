"""Task templates: sentences so frequent in a task's instructions that they say nothing about an image (L2T)."""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd
import pyarrow as pa

from visatb.config.training import MiningConfig
from visatb.errors import VisatbError
from visatb.runtime.files import read_parquet
from visatb.runtime.tables import read_columns
from visatb.training.l2t.sentences import plain, sentence_spans

REMOVED, KEPT = "removed", "kept"
SHOWN = 0.2
"""Sentences that reach this part of the threshold are shown as well, for review."""


def instructions(records: pa.Table, text_only: bool) -> Iterable[str]:
    """Yield the human turns of records (``image``, ``conversations``); of those without an image if ``text_only``."""
    for batch in records.select(["image", "conversations"]).to_batches(max_chunksize=4096):
        for row in batch.to_pylist():
            if row["image"] is not None or text_only:
                yield from (t["value"].replace("<image>", "") for t in row["conversations"] if t["from"] == "human")


def count_sentences(texts: Iterable[str]) -> tuple[Counter[str], int]:
    """Return how many of the texts hold each sentence, and the number of texts."""
    counts: Counter[str] = Counter()
    number = 0
    for number, text in enumerate(texts, start=1):  # noqa: B007
        counts.update({plain(text[slice(*span)]) for span in sentence_spans(text)})
    return counts, number


def mine_templates(
    records: Mapping[str, str | Path], mining: MiningConfig, text_only: bool = False, edited: str | Path | None = None
) -> pd.DataFrame:
    """Return the frequent sentences of the tasks' records, each with what becomes of it.

    Args:
        records: task -> its train split (Parquet).
        mining: when a sentence is a template.
        text_only: count instructions without an image too.
        edited: a table as this one, whose decisions stand above the mining's.

    Returns:
        ``sentence``, ``task`` (where its share is highest), ``count`` and ``share`` there, ``decision`` and ``reason``.
        Templates are removed in all tasks. Questions, which end in ``?``, are kept unless they are told to be removed.

    Raises:
        VisatbError: the edited table cannot be read.
    """
    best: dict[str, tuple[float, int, str]] = {}
    for task, path in records.items():
        counts, number = count_sentences(instructions(read_parquet(path, ["image", "conversations"]), text_only))
        for sentence, count in counts.items():
            best[sentence] = max(best.get(sentence, (0.0, 0, "")), (count / number, count, task))
    decided = read_decisions(edited) if edited else {}
    named = {*map(plain, mining.keep), *map(plain, mining.remove), *decided}
    rows = [
        (sentence, *_found(best.get(sentence)), *_decision(sentence, best.get(sentence), mining, decided))
        for sentence in {
            *named,
            *(s for s, (share, count, _) in best.items() if share >= SHOWN * mining.template_share),
        }
        if sentence in named or best[sentence][1] >= mining.template_count
    ]
    table = pd.DataFrame(rows, columns=["sentence", "task", "count", "share", "decision", "reason"])
    return table.sort_values(["decision", "share", "sentence"], ascending=[False, False, True], ignore_index=True)


def _found(best: tuple[float, int, str] | None) -> tuple[str, int, float]:
    share, count, task = best or (0.0, 0, "")
    return task, count, share


def _decision(
    sentence: str, frequency: tuple[float, int, str] | None, mining: MiningConfig, decided: Mapping[str, str]
) -> tuple[str, str]:
    if sentence in decided:
        return decided[sentence], "edited"
    if sentence in map(plain, mining.keep):
        return KEPT, "l2t.keep"
    if sentence in map(plain, mining.remove):
        return REMOVED, "l2t.remove"
    share, count, _ = frequency or (0.0, 0, "")
    if share < mining.template_share or count < mining.template_count:
        return KEPT, "rare"
    return (KEPT, "question") if sentence.endswith("?") else (REMOVED, "frequent")


def read_decisions(path: str | Path) -> dict[str, str]:
    """Return sentence -> ``removed`` or ``kept`` from a table of templates.

    Raises:
        VisatbError: the table is missing, has other columns, or a decision is another word.
    """
    table = read_columns(path, ["sentence", "decision"])
    for number, decision in enumerate(table["decision"], start=1):
        if decision not in (REMOVED, KEPT):
            raise VisatbError(f"{path}: row {number}: decision is {decision!r}, expected '{REMOVED}' or '{KEPT}'")
    return dict(zip(map(plain, table["sentence"]), table["decision"], strict=True))


def read_templates(path: str | Path) -> frozenset[str]:
    """Return the sentences that a table of templates removes. A table without any sentence removes none."""
    if Path(path).is_file() and len(Path(path).read_text(encoding="utf-8").splitlines()) <= 1:
        return frozenset()
    return frozenset(sentence for sentence, decision in read_decisions(path).items() if decision == REMOVED)
