"""Digests that stand for a file, a model or a description: equal where the content is, and nowhere else."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from visatb.errors import VisatbError


def fingerprint(description: Mapping[str, Any]) -> str:
    """Return twelve hexadecimal digits that stand for ``description``."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:12]


def file_digest(path: str | Path) -> str:
    """Return the SHA-256 of a file's content."""
    with Path(path).open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def folder_digest(folder: str | Path) -> str:
    """Return a digest of a model folder, from each file's name and whole content.

    The size does not stand for the content: models of one architecture are all of one size.
    """
    files = sorted(path for path in Path(folder).rglob("*") if path.is_file())
    if not files:
        raise VisatbError(f"{folder}: expected a model folder, found nothing")
    parts = [(str(path.relative_to(folder)), file_digest(path)) for path in files]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def model_digest(model: str | Path) -> str:
    """Return what stands for a model: a digest of its folder, or its name and revision on the hub."""
    return folder_digest(model) if Path(model).is_dir() else str(model)
