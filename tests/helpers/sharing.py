"""Folders that are made once and serve all test processes."""

from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

Shared = Callable[[str, Callable[[Path], object]], Path]


def sharing(factory: pytest.TempPathFactory, worker_id: str) -> Shared:
    """Return a function that gives a folder by name, filled by the first test process that asks for it."""
    base = factory.getbasetemp()
    root = base if worker_id == "master" else base.parent

    def folder(name: str, fill: Callable[[Path], object]) -> Path:
        path, done = root / name, root / f"{name}.done"
        with FileLock(root / f"{name}.lock"):
            if not done.exists():
                path.mkdir()
                fill(path)
                done.touch()
        return path

    return folder
