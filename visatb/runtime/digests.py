"""CRC-32 of files, of large ones by several threads: against damage, not against forgery."""

import hashlib
import json
import os
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from visatb.errors import VisatbError

PIECE = 64 * 2**20
"""Bytes that one thread reads at a time."""
_THREADS = 8


def checksums(files: Sequence[Path]) -> list[str]:
    """Return for each file eight hexadecimal digits, the CRC-32 of the CRC-32s of its pieces."""
    pieces = [(path, start) for path in files for start in range(0, max(1, path.stat().st_size), PIECE)]
    with ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1)) as threads:
        sums = list(zip(pieces, threads.map(_piece, pieces), strict=True))
    of_file: dict[Path, int] = dict.fromkeys(files, 0)
    for (path, _), crc32 in sums:
        of_file[path] = zlib.crc32(crc32.to_bytes(4), of_file[path])
    return [f"{of_file[path]:08x}" for path in files]


def _piece(piece: tuple[Path, int]) -> int:
    path, start = piece
    crc32, left = 0, PIECE
    with path.open("rb") as stream:
        stream.seek(start)
        while left and (block := stream.read(min(left, 2**20))):
            crc32 = zlib.crc32(block, crc32)
            left -= len(block)
    return crc32


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
