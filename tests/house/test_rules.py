"""Rules: config values and paths share no parameter, for Snakemake does not compare parameters made from paths.

It leaves a params function with an argument `input`, `output`, `threads` or `resources` out of what it compares with
the last run (`Rule._is_deriving_function`). Where such a function reads the config, a change re-runs nothing.
"""

import ast
import re
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

from benchmarks.house import ROOT, within

NOT_COMPARED = {"input", "output", "threads", "resources"}
SECTION = re.compile(r"^(?P<indent> +)params:(?P<first>.*)$")
DEFINITION = re.compile(r"^(?P<indent> *)def (?P<name>\w+)\(")


class Params(NamedTuple):
    """The arguments of a rule's section `params`."""

    file: str
    line: int
    """Of the section's first argument."""
    code: str


def rule_files() -> list[str]:
    return ["Snakefile", *within("rules", ".smk")]


def lines_of(file: str) -> list[str]:
    return (ROOT / file).read_text(encoding="utf-8").splitlines()


def block(lines: list[str], start: int, indent: int) -> list[str]:
    """Return the lines from ``start`` on that are indented deeper than ``indent``."""
    taken = []
    for line in lines[start:]:
        if line.strip() and len(line) - len(line.lstrip()) <= indent and not line.lstrip().startswith(")"):
            break
        taken.append(line)
    return taken


def params_sections(file: str) -> Iterator[Params]:
    lines = lines_of(file)
    for number, line in enumerate(lines):
        if found := SECTION.match(line):
            code = [found["first"], *block(lines, number + 1, len(found["indent"]))]
            yield Params(file, number + 1, "\n".join(code))


def arguments(section: Params) -> dict[str, tuple[int, ast.expr]]:
    """Return name -> (line, value) of a section's arguments."""
    call = ast.parse(f"_({section.code}\n)", mode="eval").body
    assert isinstance(call, ast.Call)
    named = {word.arg or "**": word.value for word in call.keywords}
    named |= {str(place): value for place, value in enumerate(call.args)}
    return {name: (section.line + value.lineno - 1, value) for name, value in named.items()}


@cache
def definitions() -> dict[str, ast.FunctionDef]:
    """Return the functions that rule files define, wherever they do so."""
    known = {}
    for file in rule_files():
        lines = lines_of(file)
        for number, line in enumerate(lines):
            if found := DEFINITION.match(line):
                code = [line, *block(lines, number + 1, len(found["indent"]))]
                function = ast.parse(textwrap.dedent("\n".join(code))).body[0]
                assert isinstance(function, ast.FunctionDef)
                known[found["name"]] = function
    return known


def names(node: ast.AST) -> set[str]:
    return {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}


def reads_the_config(node: ast.AST, told: frozenset[str] = frozenset()) -> str | None:
    """Return the first global in capitals, or `config`, that code names, itself or in the functions that it calls."""
    for name in sorted(names(node)):
        if name == "config" or re.fullmatch(r"[A-Z][A-Z0-9_]+", name):
            return name
        if name in definitions() and name not in told:
            inner = reads_the_config(definitions()[name], told | {name})
            if inner:
                return f"{name}, which names {inner}"
    return None


def function_of(value: ast.expr) -> ast.Lambda | ast.FunctionDef | None:
    """Return the function that a parameter is made by, if it is one of the rules'."""
    if isinstance(value, ast.Lambda):
        return value
    return definitions().get(value.id) if isinstance(value, ast.Name) else None


def mixed_parameters(file: str) -> Iterator[str]:
    for section in params_sections(file):
        for name, (line, value) in arguments(section).items():
            function = function_of(value)
            if function is None:
                continue
            taken = NOT_COMPARED & {argument.arg for argument in function.args.args}
            found = reads_the_config(function) if taken else None
            if found:
                yield f"{file}:{line}: {name} takes {', '.join(sorted(taken))} and names {found}"


def test_no_parameter_is_made_from_paths_and_from_the_config():
    mixed = [words for file in rule_files() for words in mixed_parameters(file)]
    assert not mixed, "Snakemake does not compare these:\n" + "\n".join(mixed)


def test_all_sections_are_found():
    written = sum(line.strip().startswith("params:") for file in rule_files() for line in lines_of(file))
    assert sum(1 for file in rule_files() for _ in params_sections(file)) == written > 20


def test_what_is_looked_for_is_found():
    section = "a=lambda w, input: options(EXPERIMENT.seed),\nb=lambda w, input: input.x,\nc=lambda w: EXPERIMENT.seed,"
    found = arguments(Params("rules/x.smk", 3, f"\n{section}"))
    assert {name: line for name, (line, _) in found.items()} == {"a": 4, "b": 5, "c": 6}
    assert {name: reads_the_config(value) for name, (_, value) in found.items()} == {
        "a": "EXPERIMENT",
        "b": None,
        "c": "EXPERIMENT",
    }


def test_no_two_rule_files_mean_different_things_by_a_name():
    homes: dict[str, set[str]] = {}
    for file in ("Snakefile", *within("rules", ".smk")):
        text = (ROOT / file).read_text(encoding="utf-8")
        for module, listed in re.findall(r"^from (\S+) import (\([^)]*\)|[^\n]+)", text, re.MULTILINE):
            for name in re.findall(r"\w+", listed):
                homes.setdefault(name, set()).add(module)
        for name in re.findall(r"^def (\w+)", text, re.MULTILINE):
            homes.setdefault(name, set()).add(file)
    assert {name: modules for name, modules in homes.items() if len(modules) > 1} == {}
