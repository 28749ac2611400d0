"""Pieces that the command lines of several workflow scripts share."""

import argparse
from collections.abc import Sequence


def named_value(text: str) -> tuple[str, str]:
    """Split ``name=value``."""
    name, found, value = text.partition("=")
    if not (name and found):
        raise argparse.ArgumentTypeError(f"expected name=value, found '{text}'")
    return name, value


def named_number(text: str) -> tuple[str, float]:
    """Split ``name=number``."""
    name, value = named_value(text)
    try:
        return name, float(value)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected name=number, found '{text}'") from None


def number_or_auto(text: str) -> float | str:
    """Read a number, or ``auto``."""
    return text if text == "auto" else float(text)


def groups(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """Return group -> tasks from ``group=task,task`` pairs, or run -> tasks."""
    return {group: tasks.split(",") for group, tasks in pairs}
