"""Files that are either whole or not there: everything is written under a temporary name and moved into place."""

import errno
import glob
import json
import os
import re
import shutil
import socket
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from visatb.errors import VisatbError

TEXT_COLUMNS = (
    *("run", "kind", "split", "task", "tasks", "group", "metric", "method", "from", "to", "note", "judge", "origin"),
    "approximate",
    "sentence",
)
_LEFTOVER = re.compile(r"\.(?P<host>[^.]+)\.(?P<process>\d+)\.[0-9a-f]{8}\.tmp(\.old)?")
_ABANDONED_SECONDS = 24 * 3600.0
"""Age at which the temporary file of a process on another machine, which cannot be asked, counts as left behind."""


@contextmanager
def atomic_path(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` (a file or a folder) that replaces it when the block ends well.

    What killed processes have left of the same file is removed first.

    Raises:
        VisatbError: the disk is full.
    """
    path = Path(path)
    with told_if_full(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(path)
        temporary = path.with_name(f".{path.name}.{_host()}.{os.getpid()}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            yield temporary
            _put_in_place(temporary, path)
        finally:
            _remove(temporary)


@contextmanager
def told_if_full(path: Path) -> Iterator[None]:
    """Turn a full disk, met while ``path`` is written, into a message that names its folder and the free space."""
    try:
        yield
    except OSError as error:
        full = errno.ENOSPC, errno.EDQUOT
        # copytree gathers the errors of single files as texts.
        if error.errno not in full and not any(os.strerror(number) in str(error) for number in full):
            raise
        raise VisatbError(
            f"{path}: could not be written ({error.strerror or error}); {free_space(path)} are free in {path.parent}. "
            "Make room there and give the same command again: it goes on with what is there"
        ) from error


def link_or_copy(source: str, destination: str) -> str:
    """Put a file at ``destination`` by a hard link, or where the file system has none by a copy; return where."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copy2(source, destination)
    return destination


def free_space(path: Path) -> str:
    """Return how much room the file system has on which ``path`` lies or would lie, for a message."""
    existing = next(folder for folder in path.absolute().parents if folder.exists())
    free = shutil.disk_usage(existing).free
    return f"{free / 1e9:.1f} GB" if free >= 1e8 else f"{free / 1e6:.1f} MB"


def _host() -> str:
    return socket.gethostname().split(".")[0]


def _remove_leftovers(path: Path) -> None:
    for other in path.parent.glob(f".{glob.escape(path.name)}.*.tmp*"):
        match = _LEFTOVER.fullmatch(other.name[len(path.name) + 1 :])
        if match and _is_left_behind(other, match["host"], int(match["process"])):
            _remove(other)


def _is_left_behind(temporary: Path, host: str, process: int) -> bool:
    try:
        if host != _host():
            return time.time() - temporary.stat().st_mtime > _ABANDONED_SECONDS
        os.kill(process, 0)
    except (ProcessLookupError, FileNotFoundError):
        return True
    except PermissionError:
        pass
    return False


def _put_in_place(new: Path, path: Path) -> None:
    if new.is_file():
        _flush(new)
    if not path.is_dir() and not (new.is_dir() and path.exists()):
        os.replace(new, path)
        return
    old = new.with_name(f"{new.name}.old")
    os.replace(path, old)
    try:
        os.replace(new, path)
    except OSError:
        os.replace(old, path)
        raise
    _remove(old)


def _flush(path: Path) -> None:
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write ``text`` as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically. NaN and infinity are refused."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: str | Path) -> Any:
    """Read a JSON file; a broken one raises `VisatbError` that names the file and the place in it."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise VisatbError(f"{path}: no such file") from error
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise VisatbError(f"{path}: not valid JSON ({error})") from error


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as tab-separated text with a header and six significant digits, atomically."""
    write_text(path, table.to_csv(sep="\t", index=False, float_format="%.6g", lineterminator="\n"))


def read_table(path: str | Path) -> pd.DataFrame:
    """Read a table written by `write_table`. Names like ``NA``, ``null`` or ``2024`` stay what they are."""
    if not Path(path).is_file():
        raise VisatbError(f"{path}: no such table")
    try:
        return pd.read_csv(
            path, sep="\t", keep_default_na=False, na_values=[""], dtype=dict.fromkeys(TEXT_COLUMNS, str)
        )
    except ValueError as error:
        raise VisatbError(f"{path}: cannot be read as a table ({error}); delete it to have it made again") from error


def write_parquet(path: str | Path, table: pa.Table) -> None:
    """Write an Arrow table as Parquet with checksums, atomically."""
    with atomic_path(path) as temporary:
        pq.write_table(table, temporary, compression="zstd", write_page_checksum=True)


def read_parquet(path: str | Path, columns: list[str] | None = None) -> pa.Table:
    """Read a Parquet file, or some columns of it; a missing or damaged one raises `VisatbError`."""
    with _told_if_broken(path):
        return pq.read_table(path, columns=columns, page_checksum_verification=True)


def parquet_length(path: str | Path) -> int:
    """Return how many rows a Parquet file has; a missing or damaged one raises `VisatbError`."""
    with _told_if_broken(path):
        return pq.read_metadata(path).num_rows


def parquet_batches(path: str | Path, columns: list[str], rows: int) -> Iterator[pa.RecordBatch]:
    """Yield columns of a Parquet file in batches of so many rows at most, one in memory at a time.

    Raises:
        VisatbError: as `read_parquet`, when the first batch is asked for or a later one.
    """
    with _told_if_broken(path), pq.ParquetFile(path, page_checksum_verification=True) as file:
        yield from file.iter_batches(rows, columns=columns)


def taken_rows(batches: Iterable[pa.RecordBatch], rows: np.ndarray) -> pa.Table:
    """Return rows of all batches, counted through, in the order asked for; each batch is looked at once.

    Args:
        batches: one after the other; at least one row of them is asked for.
        rows: row numbers, shape [rows wanted].
    """
    order = np.argsort(rows, kind="stable")
    wanted, parts, first = rows[order], [], 0
    for batch in batches:
        start, end = np.searchsorted(wanted, [first, first + len(batch)])
        if start < end:
            parts.append(batch.take(pa.array(wanted[start:end] - first)))
        first += len(batch)
    places = np.empty(len(rows), dtype=np.int64)
    places[order] = np.arange(len(rows))
    return pa.Table.from_batches(parts).combine_chunks().take(pa.array(places))


@contextmanager
def _told_if_broken(path: str | Path) -> Iterator[None]:
    try:
        yield
    except (OSError, pa.ArrowException) as error:
        raise VisatbError(
            f"{path}: cannot be read as a Parquet file ({error}); delete it, so far as it is there, to have it made "
            "again, and give the same command again"
        ) from error
