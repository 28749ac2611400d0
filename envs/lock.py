"""Write the locked requirements: envs/lock.txt from this interpreter's packages, and the conda files from both.

Run it with the interpreter of a fresh virtual environment into which `pip install -e .[all extras]` was done:
`make lock` does that.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONDA = {"train": ("train",), "evaluate": ("evaluate",), "report": ("report",)}
HEADER = "# Made by envs/lock.py from pyproject.toml (make lock); do not edit.\n"


def frozen() -> dict[str, str]:
    """Return package -> version of this environment, without local parts such as torch's +cpu."""
    command = [sys.executable, "-m", "pip", "freeze", "--all", "--exclude-editable"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    return {normal(name): version.split("+")[0] for name, version in pins.items()}


def normal(name: str) -> str:
    """Return a package name as package indexes write it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(extras: tuple[str, ...]) -> list[str]:
    """Return the names of the direct requirements of the project with these extras."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(r for e in extras for r in project["optional-dependencies"][e])]
    return sorted({normal(re.split(r"[<>=!~\[; ]", requirement)[0]) for requirement in wanted})


def conda_file(extras: tuple[str, ...], pins: dict[str, str]) -> str:
    """Return a conda environment with the direct requirements pinned."""
    lines = [f"      - {name}=={pins[name]}" for name in requirements(extras)]
    head = ["channels:", "  - conda-forge", "  - nodefaults", "dependencies:", "  - python=3.11", "  - pip", "  - pip:"]
    return HEADER + "\n".join([*head, *lines]) + "\n"


if __name__ == "__main__":
    found = frozen()
    skipped = {"pip", "setuptools", "wheel", "visatb"}
    lock = [f"{name}=={version}" for name, version in sorted(found.items()) if name not in skipped]
    (ROOT / "envs" / "lock.txt").write_text(HEADER + "\n".join(lock) + "\n")
    for environment, extras in CONDA.items():
        (ROOT / "envs" / f"{environment}.yaml").write_text(conda_file(extras, found))
