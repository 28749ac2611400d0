"""What the tokens of a training are: of which task, learned from or only read, and how many are padding."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

PARTS = ("supervised", "instruction", "template", "image")
"""What the tokens of a record are: learned from; what people said; what the chat template adds; the picture."""

COUNTED_AT_MOST = 2000
"""Records of a task and split whose tokens are counted. Of more, as many are drawn at random."""


@dataclass(frozen=True)
class Counts:
    """Tokens of a task's train records, in drawing order (`visatb.data.mixtures.subset_rows`).

    Attributes:
        samples: records of the train split.
        table: a row a counted record: `PARTS`, ``tokens``, ``has_image``, ``is_cut``. The first of the drawing order.
    """

    samples: int
    table: pd.DataFrame


@dataclass(frozen=True)
class MicroBatches:
    """How a training puts its samples together.

    Attributes:
        size: samples that one device holds at a time.
        packing: whether they share a row, or each is padded.
        blank: tokens of the row with the blank picture.
        seed: of the order of the samples.
    """

    size: int
    packing: bool = False
    blank: int = 0
    seed: int = 0


def padding(tokens: np.ndarray, has_image: np.ndarray, micro_batches: MicroBatches) -> tuple[np.ndarray, float]:
    """Return the padding of each sample, shape [samples], and the tokens of blank pictures.

    Samples come in random order. Each is padded to the longest of its micro-batch, unless they share a row. If any has
    an image, a micro-batch without one gets a blank picture beside its samples.

    Args:
        tokens: of each sample, shape [samples].
        has_image: of each sample, shape [samples].
        micro_batches: how samples are put together.
    """
    order = np.random.default_rng(micro_batches.seed).permutation(len(tokens))
    places = np.full(-(-len(order) // micro_batches.size) * micro_batches.size, -1)
    places[: len(order)] = order
    rows = places.reshape(-1, micro_batches.size)
    is_there = rows >= 0
    is_text = has_image.any() & ~(has_image[rows] & is_there).any(axis=1)
    lengths = np.column_stack([np.where(is_there, tokens[rows], 0), np.where(is_text, micro_batches.blank, 0)])
    result = np.zeros(len(tokens))
    if micro_batches.packing:
        return result, float(lengths[:, -1].sum())
    longest = lengths.max(axis=1, initial=0)
    of_each, blanks = longest[:, None] - lengths[:, :-1], longest[is_text].sum()
    result[rows[is_there]] = of_each[is_there]
    return result, float(blanks)


def mixture_tokens(counts: Mapping[str, Counts], sizes: Mapping[str, int], micro_batches: MicroBatches) -> pd.DataFrame:
    """Return a row a sample of a mixture: ``task``, `PARTS`, ``tokens``, ``is_cut`` and its ``padding``.

    The first of a task's drawing order are taken; where more are wanted than were counted, the counted ones stand for
    the others. The tokens of blank pictures are told as padding, evenly.

    Args:
        counts: task -> its counted records.
        sizes: task -> how many of its samples the mixture holds.
        micro_batches: how samples are put together.
    """
    parts = []
    for task, size in sizes.items():
        table = counts[task].table
        rows = np.resize(np.arange(len(table)), size)
        parts.append(table.iloc[rows].assign(task=task))
    mixture = pd.concat(parts, ignore_index=True)
    of_each, blanks = padding(mixture["tokens"].to_numpy(), mixture["has_image"].to_numpy(bool), micro_batches)
    return mixture.assign(padding=of_each + blanks / max(1, len(mixture)))


def token_ledger(counts: Mapping[str, Counts], micro_batches: MicroBatches) -> pd.DataFrame:
    """Return a row a task: what its train split is made of, and its share of all supervised tokens.

    That share is the weight which the task has in Eq. 1 before any lambda. ``padding`` is that of an epoch on the whole
    train splits of all tasks.

    Returns:
        The columns ``task``, ``samples``, ``counted``, `PARTS`, ``padding``, ``tokens`` (their sum, padding included),
        ``share`` (of the supervised tokens, 0 to 1) and ``cut`` (samples longer than ``max_length``). Where not all
        records were counted, the tokens are estimates: counted ones, scaled up.
    """
    columns = ["task", "samples", "counted", *PARTS, "padding", "tokens", "cut"]
    if not counts:
        return pd.DataFrame(columns=[*columns[:-1], "share", "cut"])
    mixture = mixture_tokens(counts, {task: counted.samples for task, counted in counts.items()}, micro_batches)
    rows = []
    for task, counted in counts.items():
        scale = counted.samples / max(1, len(counted.table))
        sums = {part: round(counted.table[part].sum() * scale) for part in PARTS}
        sums["padding"] = round(mixture.loc[mixture["task"] == task, "padding"].sum())
        cut = round(counted.table["is_cut"].sum() * scale)
        rows.append(
            {"task": task, "samples": counted.samples, "counted": len(counted.table)}
            | sums
            | {"tokens": sum(sums.values()), "cut": cut}
        )
    table = pd.DataFrame(rows, columns=columns)
    share = table["supervised"] / max(1, table["supervised"].sum())
    return table.assign(share=share)[[*columns[:-1], "share", "cut"]]


def read_counts(table: pd.DataFrame, samples: Mapping[str, int]) -> dict[str, Counts]:
    """Return task -> its counts from one table of all tasks with the column ``task``, and the sizes of train splits."""
    known = {str(task): part.drop(columns="task").reset_index(drop=True) for task, part in table.groupby("task")}
    return {task: Counts(size, known[task]) for task, size in samples.items() if task in known}


def tasks_without_counts(counts: Mapping[str, Counts], tasks: Sequence[str]) -> list[str]:
    """Return the tasks that nothing was counted of."""
    return [task for task in tasks if task not in counts]
