"""A Python that is warm: the libraries are imported once, and every program of a workflow is a fork of that process.

Importing torch and transformers takes a program longer than what it computes in a test. `python` returns an interpreter
whose programs are forks; where it matters how a process starts, take `sys.executable`. A signal reaches the fork a
moment after the process that stands for it; `kill` kills both at once.
"""

import atexit
import contextlib
import fcntl
import functools
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

IMPORTED = (
    *("torch", "transformers", "visatb.training.fit", "visatb.training.pretraining", "visatb.evaluation.generate"),
    *("deepspeed", "tensorboardX", "openai", "openai.types.responses", "openai.types.chat"),
    *("pandas", "pyarrow.parquet", "pyarrow.dataset", "scipy.stats", "matplotlib.pyplot", "altair", "jinja2"),
    *("snakemake.cli", "snakemake.report.html_reporter", "snakemake_logger_plugin_visatb", "docutils.parsers.rst"),
    *("visatb.experiment.experiment", "yte", "pygments.lexers", "pygments.formatters"),
)
LONGEST_REQUEST = 2**20
HANDED_ON = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@functools.cache
def python() -> str:
    """Return the path of the warm interpreter of this test process."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    address = folder / "socket"
    line = [sys.executable, str(Path(__file__)), "serve", str(address)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    server = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)
    atexit.register(server.kill)
    assert server.stdout is not None
    assert b"warm\n" in iter(server.stdout.readline, b""), "what is imported may print"
    program = folder / "python"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "{__file__}" ask "{address}" "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return str(program)


def fork_of(process: int) -> int | None:
    """Return the fork that a process of the warm interpreter stands for, if there is one."""
    note = Path(python()).with_name(str(process))
    return int(note.read_text()) if note.exists() else None


def kill(process: "subprocess.Popen[str] | psutil.Process") -> None:
    """Kill a process, and first the fork that it stands for, if it is one of the warm interpreter."""
    if fork := fork_of(process.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(fork, signal.SIGKILL)
    process.kill()


def started_warm(line: Sequence[str]) -> list[str]:
    """Return a command line of this Python, or of a program beside it, with the warm interpreter in its place."""
    here = Path(sys.executable).parent
    if Path(line[0]).parent != here:
        return list(line)
    return [python(), *(line[1:] if line[0] == sys.executable else line)]


@dataclass(frozen=True)
class Program:
    """A program to be run in a fork: its words, folder, environment, open files and the signals that it ignores."""

    ignored: list[int]
    words: list[str]
    stands_for_it: int
    folder: str
    environment: dict[str, str]
    files: dict[int, int]

    def become(self) -> None:
        """Turn this process into the program: what `runpy` runs next finds all as if it had been started."""
        apart = {number: fcntl.fcntl(copy, fcntl.F_DUPFD_CLOEXEC, 64) for number, copy in self.files.items()}
        for number, copy in apart.items():
            os.dup2(copy, number)
        os.setpgid(0, 0)
        for signal_number in HANDED_ON:
            default = signal.default_int_handler if signal_number == signal.SIGINT else signal.SIG_DFL
            signal.signal(signal_number, signal.SIG_IGN if signal_number in self.ignored else default)
        os.chdir(self.folder)
        os.environ.clear()
        os.environ.update(self.environment)
        sys.path[0] = self.folder if self.words[0] == "-m" else str(Path(self.words[0]).parent)
        sys.path[1:1] = filter(None, self.environment.get("PYTHONPATH", "").split(os.pathsep))

    def run(self) -> None:
        """Run the program, in a process that it has become."""
        if self.words[0] == "-m":
            sys.argv = self.words[1:]
            runpy.run_module(self.words[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv = self.words
            runpy.run_path(self.words[0], run_name="__main__")

    def run_to_the_end(self) -> None:
        """Run the program and end the process as Python does, but for taking apart all that was imported."""
        status = 0
        try:
            self.run()
        except SystemExit as exit:
            if isinstance(exit.code, str):
                print(exit.code, file=sys.stderr)
            status = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
        except Exception:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
            status = 1
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status & 0xFF)


def serve(address: str) -> Program | None:
    """Fork a process for each request, until standard input is closed; return what a fork is to run."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listening, selectors.DefaultSelector() as waiting:
        listening.bind(address)
        listening.listen(64)
        print("warm", flush=True)
        waiting.register(listening, selectors.EVENT_READ)
        waiting.register(0, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fd == 0:
                    return None
                if key.fileobj is listening:
                    program = _received(connection := listening.accept()[0])
                    if not (process := os.fork()):
                        return program
                    for copy in program.files.values():
                        os.close(copy)
                    note = Path(address).with_name(str(program.stands_for_it))
                    note.with_suffix(".new").write_text(str(process))
                    note.with_suffix(".new").rename(note)
                    waiting.register(connection, selectors.EVENT_READ, (process, connection, note))
                    waiting.register(os.pidfd_open(process), selectors.EVENT_READ, (process, connection, note))
                else:
                    _attend(waiting, key)


def _received(connection: socket.socket) -> Program:
    text, copies, _, _ = socket.recv_fds(connection, LONGEST_REQUEST, 16)
    request = json.loads(text)
    files = dict(zip(request.pop("files"), copies, strict=True))
    return Program(**request, files=files)


def _attend(waiting: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    """Hand on a signal, end the process of a client that was killed, or tell a client how its process ended."""
    process, connection, note = key.data
    if key.fileobj is connection:
        number = connection.recv(16)
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, int(number) if number else signal.SIGKILL)
        if not number:
            waiting.unregister(connection)
        return
    waiting.unregister(key.fd)
    os.close(key.fd)
    status = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    note.unlink(missing_ok=True)
    if connection in waiting.get_map():
        waiting.unregister(connection)
        connection.send(str(status).encode())
    connection.close()


def ask(address: str, words: list[str]) -> None:
    """Have a program or module run in a fork, and end as it does. Other options are for a Python of its own."""
    words = words[1:] if words[:1] == ["-u"] else words
    if not words or (words[0].startswith("-") and words[0] != "-m"):
        os.execv(sys.executable, [sys.executable, *words])
    files = [number for number in range(10) if _is_open(number)]
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, LONGEST_REQUEST)
        connection.connect(address)
        files.remove(connection.fileno()) if connection.fileno() in files else None
        request = {
            "ignored": [int(number) for number in HANDED_ON if signal.getsignal(number) == signal.SIG_IGN],
            "words": words,
            "stands_for_it": os.getpid(),
            "folder": os.getcwd(),
            "environment": dict(os.environ),
            "files": files,
        }
        socket.send_fds(connection, [json.dumps(request).encode()], files)
        for number in HANDED_ON:
            signal.signal(number, lambda caught, _: connection.send(str(int(caught)).encode()))
        status = int(connection.recv(16) or 1)
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


if __name__ == "__main__":
    if sys.argv[1] == "ask":
        ask(sys.argv[2], sys.argv[3:])
    for name in IMPORTED:
        __import__(name)
    gc.freeze()  # so that forks share what they do not change
    if program := serve(sys.argv[2]):
        executable = str(Path(sys.argv[2]).with_name("python"))
        program.become()
        sys.executable = executable
        program.run_to_the_end()
