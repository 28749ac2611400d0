"""Links, paths, programs and modules that pages name are there."""

import ast
import re
from functools import cache
from pathlib import Path, PurePosixPath

import pytest

from benchmarks.house import ROOT, files, is_module, parsed
from tests.house.test_programs import subcommands

PAGES = [file for file in files() if file.endswith(".md")]
LINK = re.compile(r"\]\(([^)\s]+)\)|(?:src|href)=\"([^\"]+)\"")
FOLDERS = "benchmarks|config|docs|envs|profiles|report|rules|tests|visatb|workflow_scripts"
PATH = re.compile(rf"(?<![\w./<>-])((?:{FOLDERS})/[\w./-]+\.(?:css|csv|jinja|js|json|md|py|rst|sh|smk|svg|txt|yaml))\b")
PROGRAM = re.compile(r"python (?:\$SCRIPTS|workflow_scripts)/(\w+)\.py (\w+)")
MODULE = re.compile(r"python -m (visatb[\w.]*)")
OF_READERS = {
    *("config/experiments/mine.yaml", "config/models/mine.yaml"),
    *("benchmarks/results/mfu_llava_7b.json", "benchmarks/results/mfu_qwen2_vl_2b.json"),
}
"""Files that pages tell people to write."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def without_code(text: str) -> str:
    return re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)


@cache
def anchors(page: str) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", without_code(text_of(page)), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).lower() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str):
    lost = []
    for match in LINK.finditer(without_code(text_of(page))):
        link = match[1] or match[2]
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (ROOT / page).parent / path if path else ROOT / page
        if not target.exists() or (anchor and anchor not in anchors(str(target.resolve().relative_to(ROOT)))):
            lost.append(link)
    assert lost == []


@pytest.mark.parametrize("page", PAGES)
def test_paths_in_words_and_code_are_there(page: str):
    named = {match[1] for match in PATH.finditer(text_of(page))}
    assert sorted(name for name in named - OF_READERS if not _is_there(name, PurePosixPath(page).parent)) == []


def _is_there(name: str, folder: PurePosixPath) -> bool:
    return (ROOT / name).exists() or (ROOT / folder / name).exists()


@pytest.mark.parametrize("page", PAGES)
def test_programs_have_the_subcommands_that_pages_call(page: str):
    called = PROGRAM.findall(text_of(page))
    assert [f"{stage}.py {name}" for stage, name in called if not _is_subcommand(stage, name)] == []


def _is_subcommand(stage: str, name: str) -> bool:
    program = f"workflow_scripts/{stage}.py"
    return Path(ROOT / program).is_file() and name in subcommands(program)


@pytest.mark.parametrize("page", PAGES)
def test_modules_that_pages_run_are_there(page: str):
    assert [module for module in MODULE.findall(text_of(page)) if not is_module(module)] == []


@pytest.mark.parametrize("page", PAGES)
def test_python_in_pages_imports_what_is_there(page: str):
    blocks = re.findall(r"^```python\n(.*?)^```", text_of(page), re.MULTILINE | re.DOTALL)
    imported = [node for block in blocks for node in ast.walk(ast.parse(block)) if isinstance(node, ast.ImportFrom)]
    modules = [node.module or "" for node in imported if (node.module or "").partition(".")[0] == "visatb"]
    # Users are taught the public face; all else may move.
    assert [module for module in modules if module != "visatb"] == []


def test_comments_and_docstrings_name_files_that_are_there():
    lost = []
    for file in files():
        if file.endswith((".py", ".smk")) and not file.startswith("tests/"):
            named = {match[1] for match in PATH.finditer(_words(file))}
            lost += [f"{file}: {name}" for name in named - OF_READERS if not (ROOT / name).exists()]
    assert sorted(lost) == []


def _words(file: str) -> str:
    if file.endswith(".smk"):
        return "\n".join(line for line in text_of(file).splitlines() if line.lstrip().startswith("#"))
    nodes = ast.walk(parsed(file))
    return "\n".join(
        docstring
        for node in nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (docstring := ast.get_docstring(node))
    )
