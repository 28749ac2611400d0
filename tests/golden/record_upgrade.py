"""Records what `test_upgrade.py` starts from, in two steps with the code of the version to upgrade from.

``snakemake --configfile tests/golden/upgrade.yaml -- data/models/tiny-upgrade`` makes the base in a folder;
``python tests/golden/record_upgrade.py round FOLDER`` rounds its numbers to a few values, which take little room;
``snakemake --configfile tests/golden/upgrade.yaml`` runs the experiment to its end;
``python tests/golden/record_upgrade.py pack FOLDER`` packs what is there, without what tells of the machine.
"""

import json
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import load_file, save_file

from tests.golden.archive import pack
from tests.golden.stored import FIXTURES

BASES = ("data/models/tiny-upgrade", "data/models/tiny-upgrade-vision")
USED = ("caption", "region", "ocr")


def round_numbers(folder: Path) -> None:
    """Leave each matrix of the base models five values, and other numbers eight bits, as of when they were made."""
    for base in BASES:
        path = folder / base / "model.safetensors"
        made = path.stat().st_mtime_ns
        with safe_open(path, "pt") as stored:
            about = stored.metadata()
        rounded = {}
        for name, values in load_file(path).items():
            step = 2.0 ** values.std().log2().round().item() if values.ndim > 1 else 0.0
            few = (values / step).round().clamp(-2, 2) * step + 0.0 if step else values.bfloat16().float()
            rounded[name] = few.contiguous()
        save_file(rounded, path, about)
        os.utime(path, ns=(made, made))


def is_kept(path: Path) -> bool:
    """Tell whether a file, named from the folder, is worth its room: no logs, and no pictures of unused tasks."""
    parts = path.parts
    if parts[0] == ".snakemake":
        return parts[1] == "metadata"
    if "images" in parts:
        return parts[2] in USED
    return parts[0] in ("data", "results") and not {"logs", "tensorboard"} & set(parts) and path.suffix != ".lock"


def without_machine(folder: Path) -> None:
    """Replace, in what the experiment says of where it came from, the machine and the commit."""
    results = folder / "results" / "upgrade"
    found = json.loads((results / "provenance.json").read_text())
    words = [found["machine"]["system"], str(found["machine"]["processor"]), str(found["visatb"]["commit"])]
    for path in (results / "provenance.json", results / "provenance.tsv", results / "tables" / "provenance.html"):
        path.write_text(re.sub("|".join(map(re.escape, words)), "not kept", path.read_text()))


def pack_folder(folder: Path) -> None:
    """Pack a finished experiment."""
    with tempfile.TemporaryDirectory() as place:
        copy = Path(place) / "copy"
        shutil.copytree(
            folder, copy, symlinks=True, copy_function=os.link, ignore=shutil.ignore_patterns("provenance.*")
        )
        for path in folder.rglob("provenance.*"):
            shutil.copy2(path, copy / path.relative_to(folder))
        without_machine(copy)
        files = [path for path in copy.rglob("*") if path.is_file() and not path.is_symlink()]
        kept = [path for path in files if is_kept(path.relative_to(copy))]
        pack(copy, kept, FIXTURES / "upgrade.tar.xz")


if __name__ == "__main__":
    {"round": round_numbers, "pack": pack_folder}[sys.argv[1]](Path(sys.argv[2]))
