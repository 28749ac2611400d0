"""The library's rooms: imports go down only, and what need not load torch does not."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterator

import pytest

from benchmarks.house import FLOORS, files, imports, is_module, module_of, parsed, room, upward_imports, within
from tests.helpers.paths import REPOSITORY

LIGHT = ("config", "scores", "balancing", "experiment", "planning")
"""Rooms whose modules import neither torch nor transformers before they are used."""

COMPUTING = (
    *("visatb/models/", "visatb/training/", "visatb/evaluation/", "visatb/taskgalaxy/clip.py"),
    *("visatb/runtime/gpus.py", "visatb/runtime/processes.py", "visatb/planning/token_counts.py"),
    "visatb/planning/counting.py",
)
"""Where torch and transformers may be imported at once: tokens are counted by the processor that trainings load."""

IMPORT_ALL = """
import importlib, json, sys

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ImportError(f"imports {name}")

sys.meta_path.insert(0, Refusing())
mistakes = {}
for module in sys.argv[1:]:
    try:
        importlib.import_module(module)
    except ImportError as mistake:
        mistakes[module] = str(mistake)
print(json.dumps(mistakes))
"""


def test_every_room_has_a_floor():
    rooms = {room(module_of(file)) for file in within("visatb", ".py")} - {None}
    assert rooms == set(FLOORS)


def test_imports_go_down_only():
    assert [f"{found.file}:{found.line} imports {found.module}" for found in upward_imports()] == []


def test_only_errors_and_the_public_face_stand_at_the_top():
    assert [file for file in within("visatb", ".py") if file.count("/") == 1] == [
        "visatb/__init__.py",
        "visatb/errors.py",
    ]


def test_nobody_imports_reporting():
    found = [one for file in within("visatb", ".py") for one in imports(file) if room(one.module) == "reporting"]
    assert [f"{one.file}:{one.line}" for one in found if not one.file.startswith("visatb/reporting/")] == []


def test_the_library_does_not_use_its_own_public_face():
    names = [
        f"{file}:{node.lineno}: {alias.name}"
        for file in within("visatb", ".py")
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.ImportFrom) and node.module == "visatb"
        for alias in node.names
        if alias.name != "__version__" and not is_module(f"visatb.{alias.name}")
    ]
    assert names == []


def test_the_library_knows_nothing_of_snakemake():
    found = [one for file in within("visatb", ".py") for one in imports(file)]
    assert [f"{one.file}:{one.line}" for one in found if one.module.partition(".")[0].startswith("snakemake")] == []


def test_every_import_of_the_repository_leads_somewhere():
    ours = ("visatb", "tests", "benchmarks", "snakemake_logger_plugin_visatb")
    found = [one for file in files() if file.endswith(".py") for one in imports(file)]
    lost = [one for one in found if one.module.partition(".")[0] in ours and not _leads_somewhere(one.module)]
    assert [f"{one.file}:{one.line}: {one.module}" for one in lost] == []


def _leads_somewhere(module: str) -> bool:
    return is_module(module) or (REPOSITORY / module.replace(".", "/")).is_dir()


def test_what_measures_and_plans_is_imported_without_torch():
    light = [file for name in LIGHT for file in within(f"visatb/{name}", ".py") if not file.startswith(COMPUTING)]
    modules = ["visatb", "visatb.errors", *map(module_of, light)]
    command = [sys.executable, "-c", IMPORT_ALL, *modules]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {}


def at_import_time(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes that run when a module is imported: none within functions."""
    for child in ast.iter_child_nodes(node):
        if not isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield child
            yield from at_import_time(child)


@pytest.mark.parametrize("folder", ["visatb", "workflow_scripts"])
def test_nothing_else_imports_torch_at_once(folder: str):
    loading = [
        f"{file}:{node.lineno}"
        for file in within(folder, ".py")
        if not file.startswith(COMPUTING)
        for node in at_import_time(parsed(file))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in ([node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names])
        if name.partition(".")[0] in ("torch", "transformers")
    ]
    assert loading == []
