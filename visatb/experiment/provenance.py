"""Where results come from: versions, fingerprints of config, model and data, and the machine."""

import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import pandas as pd

from visatb import __version__
from visatb.runtime.digests import file_digest
from visatb.runtime.files import read_json

SECONDS = 20
"""A program that is asked for a version has as long to answer."""


def provenance(
    experiment: str,
    config: Mapping[str, Any],
    source: str | Path,
    mixtures: Sequence[str | Path],
    runs: str | Path,
    workflow: Mapping[str, str],
) -> dict[str, Any]:
    """Return, as JSON values, all that has to be known to make an experiment's results again.

    Args:
        experiment: its name.
        config: of the experiment, as the workflow was given it.
        source: folder of the workflow's code.
        mixtures: the files of all training mixtures.
        runs: folder that holds ``<run>/checkpoints/<fingerprint>/training.json``.
        workflow: programs whose versions this interpreter cannot know, and their versions.
    """
    descriptions = {Path(mixture).stem: training_description(Path(runs) / Path(mixture).stem) for mixture in mixtures}
    bases = sorted({str(description["base"]) for description in descriptions.values() if "base" in description})
    return {
        "experiment": experiment,
        "visatb": {"version": __version__, **commit(source)},
        "config": {"sha256": hashlib.sha256(json.dumps(config, sort_keys=True).encode()).hexdigest()},
        "base model": {"fingerprint": bases},
        "mixtures": {Path(mixture).stem: {"sha256": file_digest(mixture)} for mixture in mixtures},
        "trainings": {run: _without(description, "base", "mixture") for run, description in descriptions.items()},
        "python": platform.python_version(),
        "programs": dict(workflow),
        "packages": packages(),
        "machine": machine(),
    }


def provenance_table(values: Mapping[str, Any]) -> pd.DataFrame:
    """Return what `provenance` returned as rows of ``part``, ``name`` and ``value``; trainings only by their seed."""
    flat = {
        **values,
        "trainings": {run: {"seed": description.get("seed")} for run, description in values["trainings"].items()},
    }
    rows = [(part, " ".join(names), _words(value)) for part, inner in flat.items() for names, value in _leaves(inner)]
    return pd.DataFrame(rows, columns=["part", "name", "value"])


def _leaves(value: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(value, Mapping):
        yield names, value
        return
    for name, inner in value.items():
        yield from _leaves(inner, (*names, str(name)))


def _words(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none found"
    return "not known" if value is None else str(value)


def _without(mapping: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in mapping.items() if name not in names}


def commit(source: str | Path) -> dict[str, Any]:
    """Return the git commit of the code in ``source`` and whether files differ from it; None where git cannot say."""
    number = _answer("git", "-C", str(source), "rev-parse", "HEAD")
    changed = _answer("git", "-C", str(source), "status", "--porcelain", "--untracked-files=no")
    return {"commit": number, "changed since": None if changed is None else bool(changed)}


def training_description(run: Path) -> dict[str, Any]:
    """Return what a finished training was described by, or nothing where its checkpoints were deleted.

    Of several descriptions, left by changes of the config, the one of the training that finished last counts.
    """
    finished = [path for path in run.glob("checkpoints/*/training.json") if (path.parent / "finished").exists()]
    if not finished:
        return {}
    description = read_json(max(finished, key=lambda path: (path.parent / "finished").stat().st_mtime))
    return description if isinstance(description, dict) else {}


def packages() -> dict[str, str]:
    """Return every package that this interpreter has, with its version."""
    versions = {
        re.sub(r"[-_.]+", "-", package.name).lower(): package.version
        for package in metadata.distributions()
        if package.name
    }
    return dict(sorted(versions.items()))


def machine() -> dict[str, Any]:
    """Return what this machine is; of GPUs what ``nvidia-smi`` says."""
    query = ("--query-gpu=name,memory.total,driver_version", "--format=csv,noheader")
    gpus = _answer("nvidia-smi", *query)
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    return {
        "system": platform.platform(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory": f"{memory:.0f} GB",
        "gpus": gpus.splitlines() if gpus else [],
    }


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    named = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE) if cpuinfo.is_file() else None
    return named[1] if named else platform.processor() or platform.machine()


def _answer(program: str, *arguments: str) -> str | None:
    """Return what a program prints, or None where it is not there or fails."""
    if shutil.which(program) is None:
        return None
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=True, timeout=SECONDS)
    except (subprocess.SubprocessError, OSError):
        return None
    return done.stdout.strip()
