"""How samples of a micro-batch share rows."""

from typing import Literal, get_args

Layout = Literal["padded", "rows", "one_row"]
"""A padded row a sample; samples one after another in few rows; all of a micro-batch in one."""

LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def layout_of(packing: bool, attention: str) -> Layout:
    """Return how micro-batches are laid out for an implementation of attention.

    Flash attention tells samples apart in a single row alone, and its time does not grow with the row's length.
    Others compute a row's attention between all of its tokens and mask most of it, so that short rows are faster.
    """
    if not packing:
        return "padded"
    return "one_row" if attention.startswith("flash") else "rows"
