"""Importing torch and transformers takes seconds: only scripts that compute with them do, once they know what to do."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.paths import REPOSITORY, SCRIPTS

COMPUTE = {
    *("assemble_model", "import_model", "pretrain_vision", "pretrain_alignment", "train", "evaluation"),
    *("count_tokens", "count_instruction_tokens", "embed_images", "embed_types"),
    *("prepare_source", "zero_shot"),  # for one kind of source, and where it takes GPUs
}
"""The scripts that load a model or a tokenizer, or look for GPUs."""

HELP = """
import io, json, runpy, sys
from contextlib import redirect_stdout

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ImportError(f"imports {name}")

sys.meta_path.insert(0, Refusing())
told = {}
for script in sys.argv[1:]:
    sys.argv = [script, "--help"]
    try:
        with redirect_stdout(io.StringIO()) as printed:
            runpy.run_path(script, run_name="__main__")
    except SystemExit as left:
        told[script] = "" if not left.code and "usage:" in printed.getvalue() else str(left.code)
    except ImportError as mistake:
        told[script] = str(mistake)
print(json.dumps(told))
"""


def helped(names: set[str]) -> dict[str, str]:
    """Ask scripts for their help where torch cannot be imported; return what went wrong with each."""
    scripts = [str(SCRIPTS / f"{name}.py") for name in sorted(names)]
    done = subprocess.run([sys.executable, "-c", HELP, *scripts], capture_output=True, text=True, check=True)
    return {Path(script).stem: words for script, words in json.loads(done.stdout).items()}


def imported(file: Path) -> set[str]:
    """Return the modules that a file imports, wherever it does so."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module}
    return names


def needing_torch() -> set[str]:
    """Return torch, transformers and the library's modules that import one of them or each other, at once or later."""
    needing = {"torch", "transformers"}
    imports = {
        ".".join(path.relative_to(REPOSITORY).with_suffix("").parts): imported(path)
        for path in (REPOSITORY / "visatb").rglob("*.py")
    }
    while more := {module for module, names in imports.items() if needs(names, needing)} - needing:
        needing |= more
    return needing


def needs(names: set[str], modules: set[str]) -> bool:
    return any(name in modules or name.partition(".")[0] in modules for name in names)


ALL = {path.stem for path in SCRIPTS.glob("*.py")}


@pytest.mark.parametrize("names", [ALL - COMPUTE, COMPUTE], ids=["others", "compute"])
def test_help_needs_no_torch(names: set[str]) -> None:
    assert helped(names) == dict.fromkeys(names, "")


def test_no_other_script_ever_imports_torch() -> None:
    modules = needing_torch()
    assert {path.stem for path in SCRIPTS.glob("*.py") if needs(imported(path), modules)} == COMPUTE
