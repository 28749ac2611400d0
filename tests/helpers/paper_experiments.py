"""The papers' own experiments on small files in the published layouts."""

from collections.abc import Callable
from pathlib import Path

from tests.helpers import paper_data
from tests.helpers.running import REPOSITORY, workplace

DATA: dict[str, Callable[[Path], None]] = {
    "academic": lambda folder: paper_data.academic_release(folder / "data" / "academic"),
    "academic-from-sources": lambda folder: paper_data.academic_sources(folder / "data" / "academic"),
    "m3it": lambda folder: paper_data.m3it(folder / "data" / "m3it", config("m3it")),
    "academic-ablation": lambda folder: paper_data.academic_release(folder / "data" / "academic"),
    "chat": lambda folder: paper_data.llava_files(folder / "data" / "chat", config("chat")),
}


def config(name: str) -> str:
    return str(REPOSITORY / "config" / "experiments" / f"{name}.yaml")


def place(folder: Path, name: str) -> Path:
    DATA[name](workplace(folder))
    return folder
