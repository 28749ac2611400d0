"""What the benchmarks share: ways that take turns, the machine, and files of figures that say at which commit."""

import os
import platform
import statistics
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import cpuinfo

from visatb.runtime.files import write_json

ROOT = Path(__file__).resolve().parent.parent


def machine() -> str:
    """Return the processor and how many of its cores there are."""
    name = cpuinfo.get_cpu_info().get("brand_raw") or platform.machine()
    return f"{name}, {os.cpu_count()} cores"


def commit(folder: Path = ROOT) -> str:
    """Return the commit of a working copy, with a plus sign where files differ from it."""
    done = subprocess.run(
        ["git", "-C", str(folder), "describe", "--always", "--abbrev=12", "--dirty=+"], capture_output=True, text=True
    )
    return done.stdout.strip() or "unknown"


def taking_turns(ways: Mapping[str, Callable[[], float]], rounds: int) -> dict[str, list[float]]:
    """Let each way measure itself once a round, in turns, and return what each found in every round."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        # The order turns around from round to round, so that no way always has what another has warmed.
        for name in list(ways)[:: -1 if number % 2 else 1]:
            found[name].append(ways[name]())
    return found


def medians(found: Mapping[str, list[float]], digits: int = 4) -> dict[str, float]:
    """Return each way's median."""
    return {name: round(statistics.median(values), digits) for name, values in found.items()}


def ratio(found: Mapping[str, list[float]], one: str, other: str, digits: int = 2) -> float:
    """Return the median over rounds of one way's figure divided by the other's of the same round."""
    return round(statistics.median(a / b for a, b in zip(found[one], found[other], strict=True)), digits)


def write_figures(path: str | Path, figures: Mapping[str, Any]) -> None:
    """Write a JSON file of figures, with the machine and the commit."""
    write_json(path, {"machine": machine(), "commit": commit(), **figures})
