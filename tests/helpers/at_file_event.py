"""Runs a Python program and lets something happen when it is about to change a folder for the n-th time.

    python at_file_event.py {kill,full,count} N FOLDER program.py arguments...

kill: the process ends there as by SIGKILL. full: that change and all that would follow and need room fail, as on a full
disk. count: nothing happens; the number of changes is printed at the end. Changes are seen where Python makes them;
what compiled libraries write lies between two of them.
"""

import atexit
import errno
import os
import runpy
import signal
import sys
from typing import Any

NEED_ROOM = {"open", "os.mkdir", "os.link", "os.symlink"}
CHANGES = NEED_ROOM | {"os.rename", "os.remove", "os.rmdir", "os.truncate"}


def main() -> None:
    """Watch, and run the program."""
    what, number, folder = sys.argv[1], int(sys.argv[2]), os.path.abspath(sys.argv[3]) + os.sep
    seen = 0

    def note(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal seen
        if event not in CHANGES or (event == "open" and not arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            return
        paths = [
            os.path.abspath(os.fsdecode(one)) for one in arguments[:2] if isinstance(one, (str, bytes, os.PathLike))
        ]
        if not any(path.startswith(folder) for path in paths):
            return
        seen += 1
        if what == "kill" and seen == number:
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "full" and seen >= number and event in NEED_ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), paths[-1])

    if what == "count":
        atexit.register(lambda: print(f"file events: {seen}", flush=True))
    program = sys.argv[4]
    if program == "-m":
        sys.argv = sys.argv[5:]
        sys.addaudithook(note)
        runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
        return
    sys.argv = sys.argv[4:]
    sys.addaudithook(note)
    runpy.run_path(program, run_name="__main__")


if __name__ == "__main__":
    main()
