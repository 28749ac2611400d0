"""A real Slurm in a folder of its own: slurmctld, some virtual nodes with four imaginary GPUs each, munged.

By hand: ``python tests/helpers/cluster.py start FOLDER`` prints what to put into the environment, ``... stop FOLDER``.
Root is not needed (a cluster without root runs its starter's jobs only); accounting (``--accounting``) needs root.
"""

import argparse
import getpass
import os
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from string import Template

from tests.helpers.paths import TESTS

HERE = TESTS / "slurm"
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "sinfo")
ACCOUNTING_PROGRAMS = ("slurmdbd", "sacct", "sacctmgr", "mariadbd", "mariadb", "mariadb-install-db")
GPUS = 4
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])


def missing(accounting: bool = False) -> list[str]:
    """Return the programs that a cluster needs and this machine lacks."""
    wanted = PROGRAMS + (ACCOUNTING_PROGRAMS if accounting else ())
    return [name for name in wanted if not shutil.which(name, path=PATH)]


class Cluster:
    """A cluster whose every file lies under ``root``."""

    def __init__(self, root: Path, nodes: int = 3, accounting: bool = False, kill_wait: int = 30) -> None:
        self.root, self.nodes, self.accounting, self.kill_wait = root.resolve(), nodes, accounting, kill_wait
        self.configuration = self.root / "etc" / "slurm.conf"
        # The nested srun of Snakemake's jobs does without SLURM_CONF; the one in bin/ brings it back.
        self.environment = {"SLURM_CONF": str(self.configuration), "PATH": f"{self.root / 'bin'}{os.pathsep}{PATH}"}

    def start(self) -> None:
        """Start the daemons and wait for the nodes."""
        self._configure()
        run = self.root / "run"
        self._call(
            "munged",
            "--force",
            f"--key-file={self.root}/etc/munge.key",
            f"--socket={run}/munge.socket",
            f"--pid-file={run}/munged.pid",
            f"--log-file={self.root}/log/munged.log",
            f"--seed-file={self.root}/state/munge.seed",
        )
        if self.accounting:
            self._start_accounting()
        self._call("slurmctld", "-f", str(self.configuration))
        for node in range(1, self.nodes + 1):
            self._call("slurmd", "-f", str(self.configuration), "-N", f"node{node}")
        self._wait_for(self._all_idle, "the nodes")

    def stop(self) -> None:
        """Cancel all jobs and end the daemons."""
        subprocess.run(["scancel", "--full", "--user", getpass.getuser()], env=self._environment(), check=False)
        files = [*self.root.glob("run/slurmd-*.pid"), *self.root.glob("run/slurm[cd]*d.pid")]
        for file in [*files, *self.root.glob("run/maria*.pid"), *self.root.glob("run/munged.pid")]:
            self._end(int(file.read_text()))
            file.unlink(missing_ok=True)

    def output_of(self, *command: str) -> str:
        """Return what a Slurm command prints."""
        done = subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True, timeout=60)
        return done.stdout

    def _configure(self) -> None:
        for name in ("etc", "log", "run", "state", "spool", "dev", "bin"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        self._write("etc/munge.key", secrets.token_hex(128), 0o400)
        port = _free_ports(self.nodes + 2)
        self.database_port = port + self.nodes + 1
        lines = {
            "AccountingStorageHost": "127.0.0.1",
            "AccountingStoragePort": self.database_port,
            "AccountingStoragePass": self.root / "run" / "munge.socket",
            "AccountingStorageTRES": "gres/gpu",
            "AccountingStorageEnforce": "associations",
        }
        self._fill(
            "slurm.conf",
            port=port,
            nodes=self.nodes,
            first_node_port=port + 1,
            last_node_port=port + self.nodes,
            kill_wait=self.kill_wait,
            # Without accounting, squeue is asked about jobs that ended, and must still know them.
            min_job_age=2 if self.accounting else 3600,
            accounting="accounting_storage/slurmdbd" if self.accounting else "accounting_storage/none",
            accounting_lines="\n".join(f"{key}={value}" for key, value in lines.items()) if self.accounting else "",
        )
        self._write("etc/gres.conf", f"Name=gpu Type=h100 File={self._gpu_files()} Flags=nvidia_gpu_env\n")
        self._write("etc/cgroup.conf", "")
        srun = shutil.which("srun", path=PATH)
        self._write("bin/srun", f'#!/bin/sh\nexport SLURM_CONF={self.configuration}\nexec {srun} "$@"\n', 0o755)

    def _gpu_files(self) -> str:
        """Return the device files that stand for GPUs: only character devices are given out to jobs."""
        if os.getuid():
            return f"/dev/tty[0-{GPUS - 1}]"
        for number in range(GPUS):
            device = self.root / "dev" / f"gpu{number}"
            if not device.exists():
                os.mknod(device, stat.S_IFCHR | 0o666, os.makedev(1, 3))
        return f"{self.root}/dev/gpu[0-{GPUS - 1}]"

    def _fill(self, name: str, **values: object) -> None:
        template = Template((HERE / f"{name}.in").read_text())
        text = template.substitute(
            values, root=self.root, host=socket.gethostname().split(".")[0], user=getpass.getuser()
        )
        self._write(f"etc/{name}", text, 0o600 if "dbd" in name else 0o644)

    def _write(self, name: str, text: str, mode: int = 0o644) -> None:
        path = self.root / name
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(mode)

    def _start_accounting(self) -> None:
        mysql, run = self.root / "mysql", self.root / "run"
        mysql.mkdir()
        shutil.chown(mysql, "mysql")
        self.root.chmod(0o711)  # so that the user mysql comes through
        self._call(
            "mariadb-install-db",
            "--no-defaults",
            "--user=mysql",
            f"--datadir={mysql}",
            "--skip-test-db",
            "--auth-root-authentication-method=normal",
        )
        log = (self.root / "log" / "mariadbd.log").open("w")
        database = subprocess.Popen(
            [
                "mariadbd",
                "--no-defaults",
                "--user=mysql",
                f"--datadir={mysql}",
                f"--socket={mysql}/socket",
                "--skip-networking",
                "--innodb-lock-wait-timeout=900",
            ],
            env=self._environment(),
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        (run / "mariadbd.pid").write_text(str(database.pid))
        sql = (
            "CREATE DATABASE slurm_acct_db; CREATE USER 'slurm'@'localhost' IDENTIFIED BY 'slurm';"
            "GRANT ALL ON slurm_acct_db.* TO 'slurm'@'localhost';"
        )
        client = ("mariadb", "--no-defaults", f"--socket={mysql}/socket")
        self._wait_for(lambda: self._succeeds(*client, "-e", "SELECT 1"), "MariaDB")
        self._call(*client, "-e", sql)
        self._fill("slurmdbd.conf", database_port=self.database_port)
        self._call("slurmdbd", MYSQL_UNIX_PORT=f"{mysql}/socket")
        self._wait_for(lambda: self._succeeds("sacctmgr", "-n", "show", "cluster"), "slurmdbd")
        self._call("sacctmgr", "-i", "add", "cluster", "visatb")
        self._call("sacctmgr", "-i", "add", "account", "lab", "Description=lab", "Organization=lab")
        self._call("sacctmgr", "-i", "add", "user", getpass.getuser(), "Account=lab")

    def _environment(self) -> dict[str, str]:
        return os.environ | self.environment

    def _call(self, *command: str, **environment: str) -> None:
        """Run a command whose daemons may live on; they write to a file, for a pipe would never be closed."""
        with (self.root / "log" / "start.log").open("a+") as log:
            done = subprocess.run(
                command, env=self._environment() | environment, stdout=log, stderr=log, check=False, timeout=120
            )
            if done.returncode:
                log.seek(0)
                raise RuntimeError(f"{command[0]} ended with {done.returncode}:\n{log.read()}")

    def _succeeds(self, *command: str) -> bool:
        return not subprocess.run(command, env=self._environment(), capture_output=True, check=False).returncode

    def _all_idle(self) -> bool:
        listing = subprocess.run(
            ["sinfo", "-hN", "-p", "gpu", "-t", "idle", "-o", "%N"],
            env=self._environment(),
            capture_output=True,
            text=True,
        )
        return len(listing.stdout.split()) == self.nodes

    @staticmethod
    def _wait_for(ready: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + 60
        while not ready():
            if time.monotonic() > deadline:
                raise RuntimeError(f"{what} did not come up within a minute")
            time.sleep(0.1)

    @staticmethod
    def _end(process: int) -> None:
        """Send SIGTERM, and SIGKILL to what is there after ten seconds."""
        for sent in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + 10
            try:
                os.kill(process, sent)
                while time.monotonic() < deadline and _is_alive(process):
                    time.sleep(0.05)
            except ProcessLookupError:
                return


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _free_ports(number: int) -> int:
    """Return the first of ``number`` neighbouring ports below the ephemeral ones that nobody listens on."""
    for first in range(21000 + os.getpid() % 500 * 10, 32000, number):
        sockets = [socket.socket() for _ in range(number)]
        try:
            for offset, candidate in enumerate(sockets):
                candidate.bind(("127.0.0.1", first + offset))
            return first
        except OSError:
            continue
        finally:
            for candidate in sockets:
                candidate.close()
    raise RuntimeError("no free ports between 21000 and 32000")


def main() -> None:
    """Start or stop a cluster by hand."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=("start", "stop"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--accounting", action="store_true")
    args = parser.parse_args()
    cluster = Cluster(args.folder, accounting=args.accounting)
    getattr(cluster, args.action)()
    if args.action == "start":
        for name, value in cluster.environment.items():
            print(f"export {name}={value}")


if __name__ == "__main__":
    main()
