import errno
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from visatb.errors import VisatbError
from visatb.runtime.files import (
    atomic_path,
    read_json,
    read_parquet,
    read_table,
    write_json,
    write_parquet,
    write_table,
    write_text,
)


class CrashError(Exception):
    pass


def fill(path: Path, as_folder: bool, text: str) -> None:
    if as_folder:
        path.mkdir()
        path = path / "part"
    path.write_text(text)


def content(path: Path) -> str:
    return (path / "part" if path.is_dir() else path).read_text()


def crash_while_writing(target: Path, as_folder: bool) -> None:
    with atomic_path(target) as temporary:
        fill(temporary, as_folder, "half")
        raise CrashError


@pytest.mark.parametrize("new_is_folder", [False, True])
@pytest.mark.parametrize("old_is_folder", [False, True])
def test_what_is_written_replaces_what_was_there(tmp_path: Path, old_is_folder: bool, new_is_folder: bool):
    target = tmp_path / "deep" / "target"
    target.parent.mkdir()
    fill(target, old_is_folder, "old")
    with atomic_path(target) as temporary:
        fill(temporary, new_is_folder, "new")
        assert content(target) == "old"
    assert content(target) == "new"
    assert target.is_dir() == new_is_folder
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize("as_folder", [False, True])
@pytest.mark.parametrize("is_there", [False, True])
def test_a_crash_leaves_what_was_there(tmp_path: Path, as_folder: bool, is_there: bool):
    target = tmp_path / "target"
    if is_there:
        fill(target, as_folder, "old")
    with pytest.raises(CrashError):
        crash_while_writing(target, as_folder)
    assert [path.name for path in tmp_path.iterdir()] == (["target"] if is_there else [])
    assert not is_there or content(target) == "old"


@pytest.mark.parametrize("as_folder", [False, True])
def test_a_block_that_writes_nothing_leaves_what_was_there(tmp_path: Path, as_folder: bool):
    fill(tmp_path / "target", as_folder, "old")
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "target"):
        pass
    assert content(tmp_path / "target") == "old"


KILLED_WHILE_WRITING = """
import os, signal, sys
from visatb.runtime.files import atomic_path
with atomic_path(sys.argv[1]) as temporary:
    temporary.mkdir() if sys.argv[2] == "folder" else temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_kill_left_is_removed_when_the_same_file_is_written_again(tmp_path: Path, kind: str):
    target, other = tmp_path / "target", tmp_path / "target.json"
    for path in (target, target, other):
        done = subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, str(path), kind], check=False)
        assert done.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2, "the second has removed what the first left"
    write_text(target, "whole")
    left = sorted(path.name for path in tmp_path.iterdir())
    assert len(left) == 2
    assert left[0].startswith(".target.json.")
    assert left[1] == "target"


def test_what_living_processes_write_stays(tmp_path: Path):
    here, old = socket.gethostname().split(".")[0], time.time() - 25 * 3600
    names = {f"elsewhere.{os.getpid()}": None, f"{here}.{os.getpid()}": old, "elsewhere.1": old}
    for name, changed in names.items():
        path = tmp_path / f".target.{name}.01234567.tmp"
        path.write_text("half")
        if changed:
            os.utime(path, (changed, changed))
    write_text(tmp_path / "target", "whole")
    left = {path.name for path in tmp_path.iterdir()} - {"target"}
    # Whether a process of another machine lives cannot be asked: its age decides.
    assert left == {f".target.{name}.01234567.tmp" for name in (f"elsewhere.{os.getpid()}", f"{here}.{os.getpid()}")}


def test_a_full_disk_is_told_with_its_room(tmp_path: Path):
    told = rf"deep/target: could not .*; [\d.]+ [GM]B are free in {tmp_path}/deep\. Make room"
    with pytest.raises(VisatbError, match=told):
        fill_disk_while_writing(tmp_path / "deep/target")
    assert list((tmp_path / "deep").iterdir()) == []


def fill_disk_while_writing(target: Path) -> None:
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")


def test_damage_within_a_parquet_file_is_seen_or_does_no_harm(tmp_path: Path):
    path = tmp_path / "a.parquet"
    table = pa.table({"id": [str(number) for number in range(1000)]})
    write_parquet(path, table)
    content = path.read_bytes()
    seen = 0
    for place in range(4, len(content), 7):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        try:
            assert read_parquet(path)["id"].equals(table["id"])
        except VisatbError:
            seen += 1
    assert seen > len(content) / 7 / 2


def test_a_folder_that_is_not_there_is_made(tmp_path: Path):
    write_text(tmp_path / "a" / "b" / "c.txt", "ü")
    assert (tmp_path / "a" / "b" / "c.txt").read_bytes() == "ü".encode()


def test_tables_keep_names_and_six_digits(tmp_path: Path):
    names = ["NA", "null", "2024", "1.0", "True", "nan", "007", "-"]
    table = pd.DataFrame({"task": names, "value": [1 / 3, 1e-9, 123456.7, 0.0, -1.0, 1e12, 2 / 3, 1]})
    write_table(tmp_path / "t.tsv", table)
    back = read_table(tmp_path / "t.tsv")
    assert back["task"].to_list() == names
    assert back["value"].to_list() == pytest.approx(table["value"].to_list(), rel=5.1e-6)
    assert (tmp_path / "t.tsv").read_text().splitlines()[1] == "NA\t0.333333"


def test_json_refuses_what_is_no_json(tmp_path: Path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []
    write_json(tmp_path / "a.json", {"grüße": [1, 2.5, None]})
    assert read_json(tmp_path / "a.json") == {"grüße": [1, 2.5, None]}


def test_parquet_round_trip(tmp_path: Path):
    table = pa.table({"id": ["a", "b"], "image": pa.array([None, "x"], pa.string())})
    write_parquet(tmp_path / "a.parquet", table)
    assert read_parquet(tmp_path / "a.parquet").equals(table)
    assert read_parquet(tmp_path / "a.parquet", ["image"]).column_names == ["image"]


@pytest.mark.parametrize("read", [read_json, read_table, read_parquet])
@pytest.mark.parametrize("data", [None, b"", b"\xff{ half"])
def test_missing_and_broken_files_are_named(tmp_path: Path, read: Callable[[Path], object], data: bytes | None):
    file = tmp_path / "broken"
    if data is not None:
        file.write_bytes(data)
    with pytest.raises(VisatbError, match="broken"):
        read(file)
