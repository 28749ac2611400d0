"""How the code is built, in figures: packages, imports upwards, lengths, what a new key touches.

python benchmarks/house.py           prints the table of docs/architecture.md
python benchmarks/house.py --write   puts it there, and writes docs/modules.md: every module with its first line
"""

import argparse
import ast
import re
import statistics
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
ARCHITECTURE = ROOT / "docs" / "architecture.md"
MODULES = ROOT / "docs" / "modules.md"
BEGIN, END = "<!-- made by benchmarks/house.py --write -->", "<!-- end -->"

FLOORS = {
    "errors": 1,
    "config": 2,
    "runtime": 3,
    "data": 4,
    "models": 5,
    "endpoints": 5,
    "scores": 5,
    "training": 6,
    "balancing": 6,
    "taskgalaxy": 6,
    "evaluation": 7,
    "experiment": 8,
    "planning": 9,
    "reporting": 10,
}
"""Room of the library -> its floor. A room imports from lower floors only."""

KEY = "label_smoothing"
"""The key of ``training`` that shows which files a key touches: those that hold its name."""

LONG_FUNCTION = 50
"""Lines above which a function is counted."""


class Import(NamedTuple):
    """A module that a file imports, at once or within a function."""

    file: str
    line: int
    module: str


class Function(NamedTuple):
    """A function and its length in lines, docstring included."""

    file: str
    line: int
    name: str
    lines: int


@cache
def files() -> tuple[str, ...]:
    """Return the files that git lists, and new ones that it does not ignore, relative to the repository."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return tuple(sorted({name for name in listed if (ROOT / name).exists()}))


def within(folder: str, suffix: str) -> list[str]:
    """Return the files below a folder that end in ``suffix``."""
    return [name for name in files() if name.startswith(f"{folder}/") and name.endswith(suffix)]


@cache
def parsed(file: str) -> ast.Module:
    """Return a Python file's syntax tree."""
    return ast.parse((ROOT / file).read_text(encoding="utf-8"), file)


def module_of(file: str) -> str:
    """Return the dotted name of a Python file."""
    return file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def is_module(name: str) -> bool:
    """Return whether a dotted name is a module or package of the repository."""
    path = ROOT / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def for_types_alone(file: str) -> set[ast.AST]:
    """Return what stands under ``if TYPE_CHECKING`` in a file: it is never run."""
    asked = [
        node for node in ast.walk(parsed(file)) if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
    ]
    return {inner for node in asked for line in node.body for inner in ast.walk(line)}


def imports(file: str, with_types: bool = True) -> Iterator[Import]:
    """Yield what a file imports, wherever it does so; of ``from package import module`` the module.

    Without ``with_types`` imports that are for type checkers alone are left out.
    """
    passed_over = set() if with_types else for_types_alone(file)
    for node in ast.walk(parsed(file)):
        if node in passed_over:
            continue
        if isinstance(node, ast.Import):
            yield from (Import(file, node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield Import(file, node.lineno, inner if is_module(inner) else node.module)


def room(module: str) -> str | None:
    """Return the room of a module of the library, None for all else."""
    top, _, rest = module.partition(".")
    return rest.partition(".")[0] if top == "visatb" and rest else None


def upward_imports() -> list[Import]:
    """Return the imports of the library that do not lead to a lower floor; the public face may import all."""
    return [
        found
        for file in within("visatb", ".py")
        if (own := room(module_of(file))) is not None
        for found in imports(file)
        if (other := room(found.module)) not in (None, own) and FLOORS[other or ""] >= FLOORS[own]
    ]


def functions() -> list[Function]:
    """Return all functions of the library and the programs."""
    return [
        Function(file, node.lineno, node.name, (node.end_lineno or node.lineno) - node.lineno + 1)
        for file in [*within("visatb", ".py"), *within("workflow_scripts", ".py")]
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def length(file: str) -> int:
    """Return the lines of a file."""
    return len((ROOT / file).read_text(encoding="utf-8").splitlines())


def touched_by(key: str) -> list[str]:
    """Return the files of library, programs and rules that hold the name of a key of ``training``."""
    sources = [*within("visatb", ".py"), *within("workflow_scripts", ".py"), *within("rules", ".smk")]
    return [file for file in sources if re.search(rf"\b{key}\b", (ROOT / file).read_text(encoding="utf-8"))]


def _named(found: list[str]) -> str:
    return f"{len(found)}: {', '.join(f'`{name}`' for name in found)}" if found else "0"


def figures() -> dict[str, str]:
    """Return the figures of the code: what -> how many, the exceptions named."""
    python = [*within("visatb", ".py"), *within("workflow_scripts", ".py")]
    longest = max(python, key=length)
    every = functions()
    rules = within("rules", ".smk")
    top = [name for name in within("visatb", ".py") if name.count("/") == 1]
    upward = [f"{found.file}:{found.line}" for found in upward_imports()]
    long = [f"{one.file}:{one.name}" for one in every if one.lines > LONG_FUNCTION]
    return {
        "packages of `visatb/`": str(len(FLOORS) - 1),
        "floors": str(max(FLOORS.values())),
        "imports upwards": _named(upward),
        "modules at the top of `visatb/`": _named([name.removeprefix("visatb/") for name in top]),
        "modules of the library": str(len(within("visatb", ".py"))),
        "longest file of library and programs": f"{length(longest)} lines: `{longest}`",
        "functions of library and programs": str(len(every)),
        "median length of a function": f"{statistics.median(one.lines for one in every):g} lines",
        f"functions over {LONG_FUNCTION} lines": _named(long),
        f"files that a key of the config touches (`training.{KEY}`)": _named(touched_by(KEY)),
        "programs": str(len(within("workflow_scripts", ".py"))),
        "rule files": str(len(rules)),
        "lines of rules": str(sum(map(length, rules))),
    }


def table() -> str:
    """Return the figures in Markdown."""
    rows = [f"| {what} | {value} |" for what, value in figures().items()]
    return "\n".join(["| what | figure |", "|---|---|", *rows])


def with_table(page: str) -> str:
    """Return a page with the table between its markers."""
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    return f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}"


def first_line(file: str) -> str:
    """Return the first line of a Python file's docstring."""
    return (ast.get_docstring(parsed(file)) or "").partition("\n")[0]


def modules_page() -> str:
    """Return docs/modules.md: the packages of the library from the ground up, and each module with its first line."""
    lines = [
        "# Every module of the library",
        "",
        "<!-- Made by `python benchmarks/house.py --write`; edit the first lines of the modules instead. -->",
        "",
        "From the ground up: a package imports from those on lower floors only. [architecture.md](architecture.md) has",
        "the plan of the house.",
    ]
    for name, floor in FLOORS.items():
        lines += ["", *_package(name, floor)]
    return "\n".join(lines) + "\n"


def _package(name: str, floor: int) -> Iterator[str]:
    if not (ROOT / "visatb" / name).is_dir():
        yield from (f"## `{name}.py` (floor {floor})", "", first_line(f"visatb/{name}.py"))
        return
    yield from (f"## `{name}/` (floor {floor})", "", first_line(f"visatb/{name}/__init__.py"), "")
    yield from ("| module | what it is |", "|---|---|")
    for file in within(f"visatb/{name}", ".py"):
        inner = file.removeprefix(f"visatb/{name}/")
        if inner != "__init__.py":
            shown = inner.removesuffix("__init__.py")
            yield f"| [`{shown}`](../{file.removesuffix('__init__.py')}) | {first_line(file).replace('|', '/')} |"


def main() -> None:
    """Print the table, or write it where it stands."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="update docs/architecture.md and docs/modules.md")
    if parser.parse_args().write:
        ARCHITECTURE.write_text(with_table(ARCHITECTURE.read_text(encoding="utf-8")), encoding="utf-8")
        MODULES.write_text(modules_page(), encoding="utf-8")
    print(table())


if __name__ == "__main__":
    main()
