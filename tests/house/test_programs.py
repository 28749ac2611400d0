"""Importing torch and transformers takes seconds: only subcommands that compute do, once they know what to do."""

import ast
import json
import subprocess
import sys
from functools import cache

import pytest

from benchmarks.house import imports, module_of, parsed, within
from tests.helpers.paths import REPOSITORY

COMPUTE = {
    *("assemble_model", "import_model", "pretrain_vision", "pretrain_alignment", "train", "predict"),
    *("count_tokens", "count_instruction_tokens", "measure_visual_contribution", "embed_images", "embed_types"),
    *("prepare_source", "zero_shot"),  # for one kind of source, and where it takes GPUs
}
"""The subcommands that load a model or a tokenizer, or look for GPUs."""

HEAVY = ("torch", "transformers")
PROGRAMS = within("workflow_scripts", ".py")

HELP = """
import io, json, runpy, sys
from contextlib import redirect_stdout

class Refusing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ImportError(f"imports {name}")

sys.meta_path.insert(0, Refusing())
told = {}
for call in json.loads(sys.argv[1]):
    sys.argv = [*call, "--help"]
    try:
        with redirect_stdout(io.StringIO()) as printed:
            runpy.run_path(call[0], run_name="__main__")
    except SystemExit as left:
        told[" ".join(call)] = "" if not left.code and "usage:" in printed.getvalue() else str(left.code)
    except Exception as mistake:
        told[" ".join(call)] = repr(mistake)
print(json.dumps(told))
"""


@cache
def subcommands(program: str) -> dict[str, ast.FunctionDef]:
    """Return the functions that a program hands to `run_program`, by name."""
    defined = {node.name: node for node in parsed(program).body if isinstance(node, ast.FunctionDef)}
    calls = [node for node in ast.walk(parsed(program)) if isinstance(node, ast.Call)]
    run = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "run_program"]
    named = [name.id for call in run for part in call.args for name in ast.walk(part) if isinstance(name, ast.Name)]
    return {name: defined[name] for name in named}


@cache
def needing_torch() -> frozenset[str]:
    """Return the library's modules that import torch, transformers or each other so, at once or later."""
    files = [file for file in within("visatb", ".py") if file != "visatb/__init__.py"]
    imported = {module_of(file): {found.module for found in imports(file, with_types=False)} for file in files}
    needing: set[str] = set()
    while more := {module for module, names in imported.items() if is_heavy(names, needing)} - needing:
        needing |= more
    return frozenset(needing)


def is_heavy(names: set[str], needing: set[str] | frozenset[str]) -> bool:
    return any(name in needing or name.partition(".")[0] in HEAVY for name in names)


def imported_by(program: str, function: ast.FunctionDef) -> set[str]:
    """Return the modules that a subcommand imports, with those of the program's functions that it calls."""
    defined = {node.name: node for node in parsed(program).body if isinstance(node, ast.FunctionDef)}
    reached, waiting = set(), [function]
    while waiting:
        node = waiting.pop()
        reached.add(node.name)
        called = {name.id for name in ast.walk(node) if isinstance(name, ast.Name)}
        waiting += [defined[name] for name in called & set(defined) - reached]
    ranges = [(defined[name].lineno, defined[name].end_lineno or 0) for name in reached]
    everywhere = [(node.lineno, node.end_lineno or 0) for node in defined.values()]
    return {
        found.module
        for found in imports(program, with_types=False)
        if any(first <= found.line <= last for first, last in ranges)
        or not any(first <= found.line <= last for first, last in everywhere)
    }


def helped(calls: list[list[str]]) -> dict[str, str]:
    """Ask programs for their help where torch cannot be imported; return what went wrong with each."""
    command = [sys.executable, "-c", HELP, json.dumps(calls)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: dict[str, str] = json.loads(done.stdout)
    return told


def test_every_program_is_made_of_subcommands():
    assert [program for program in PROGRAMS if not subcommands(program)] == []


def test_no_subcommand_has_the_name_of_another():
    every = [name for program in PROGRAMS for name in subcommands(program)]
    assert sorted(every) == sorted(set(every))


def test_every_subcommand_answers_help_without_torch():
    calls = [[program, *words] for program in PROGRAMS for words in ([], *([name] for name in subcommands(program)))]
    assert helped(calls) == {" ".join(call): "" for call in calls}


@pytest.mark.parametrize("program", PROGRAMS)
def test_only_subcommands_that_compute_ever_import_torch(program: str):
    heavy = {
        name for name, node in subcommands(program).items() if is_heavy(imported_by(program, node), needing_torch())
    }
    assert heavy == COMPUTE & set(subcommands(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_no_program_is_torch_itself(program: str):
    outside = {name.lineno for node in parsed(program).body for name in ast.walk(node) if isinstance(node, ast.Import)}
    outside |= {node.lineno for node in parsed(program).body if isinstance(node, ast.ImportFrom)}
    at_once = {found.module for found in imports(program, with_types=False) if found.line in outside}
    assert not is_heavy(at_once, set())
