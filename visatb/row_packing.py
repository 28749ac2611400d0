"""Which samples of a micro-batch share a row, so that next to nothing of what a model reads is filler."""

import numpy as np

REAL = 0.95
"""Share of a micro-batch's tokens that are samples' own, at least; the rest fills rows up to the longest."""


def deal_into_rows(lengths: np.ndarray, one_row: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of each sample, counted from 0, and the fillers of each micro-batch.

    A micro-batch gets as many rows, and so as short ones, as leave a share of `REAL`, or one. Its samples are dealt the
    longest first, each to the row that is the shortest so far.

    Args:
        lengths: tokens of each sample, shape [micro-batches, samples]; 0 where there is none.
        one_row: whether there is to be one row alone.

    Returns:
        rows: shape [micro-batches, samples].
        fillers: tokens beside the samples' own, shape [micro-batches].
    """
    rows, fillers = np.zeros_like(lengths), np.zeros_like(lengths[:, 0])
    if one_row:
        return rows, fillers
    total = lengths.sum(axis=1)
    # No row is shorter than the longest sample.
    most = total // np.maximum(1, REAL * lengths.max(axis=1))
    for number in range(2, int(most.max(initial=1)) + 1):
        dealt, longest = _longest_first(lengths, number)
        full = (number <= most) & (total >= REAL * number * longest)
        rows[full], fillers[full] = dealt[full], (number * longest - total)[full]
    return rows, fillers


def _longest_first(lengths: np.ndarray, number: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the row of each sample among ``number``, and the length of each micro-batch's longest row."""
    rows, each = np.zeros_like(lengths), np.arange(len(lengths))
    loads = np.zeros((len(lengths), number), dtype=lengths.dtype)
    for sample in np.argsort(-lengths, axis=1, kind="stable").T:
        row = loads.argmin(axis=1)
        loads[each, row] += lengths[each, sample]
        rows[each, sample] = row
    return rows, loads.max(axis=1)
