"""Mistakes that a user can make and mend: they are told in one message and never end in a traceback."""

import difflib
import errno
import functools
import sys
from collections.abc import Callable, Iterable


class VisatbError(Exception):
    """Something in the user's config, data or files is wrong. The message says where, what and what to do."""


def bullet_list(lines: Iterable[str]) -> str:
    """Return the lines as an indented list, one ``- item`` a line."""
    return "\n".join(f"  - {line}" for line in lines)


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """Return ``; did you mean 'x'?`` for the known word nearest to ``word``, or nothing."""
    names = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(str(word).casefold(), names, n=1)
    return f"; did you mean '{names[near[0]]}'?" if near else ""


def friendly_exit(main: Callable[[], None]) -> Callable[[], None]:
    """Make a program print a `VisatbError` as ``error: ...`` and leave with status 1 instead of a traceback.

    So is a full disk told.
    """

    @functools.wraps(main)
    def wrapped() -> None:
        try:
            main()
        except VisatbError as error:
            sys.exit(f"error: {error}")
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            sys.exit(f"error: {error}; make room there and give the same command again: nothing is lost")

    return wrapped
