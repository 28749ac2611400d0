"""Mistakes that a user can make and mend: they are told in one message and never end in a traceback."""

import functools
import sys
from collections.abc import Callable, Iterable


class VisatbError(Exception):
    """Something in the user's config, data or files is wrong. The message says where, what and what to do."""


def bullet_list(lines: Iterable[str]) -> str:
    """Return the lines as an indented list, one ``- item`` a line."""
    return "\n".join(f"  - {line}" for line in lines)


def friendly_exit(main: Callable[[], None]) -> Callable[[], None]:
    """Make a program print a `VisatbError` as ``error: ...`` and leave with status 1 instead of a traceback."""

    @functools.wraps(main)
    def wrapped() -> None:
        try:
            main()
        except VisatbError as error:
            sys.exit(f"error: {error}")

    return wrapped
