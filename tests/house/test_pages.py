"""Pages that are made, or that list what is there: in step with the code."""

import ast
import re

import yaml

from benchmarks.house import ARCHITECTURE, MODULES, ROOT, files, first_line, modules_page, parsed, with_table, within

MAKE = "make it again: python benchmarks/house.py --write"
NAMED = re.compile(r"\[`(\w+)`\]\(\.\./([\w/]+\.py)\)")


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def test_the_figures_of_the_house_are_in_step():
    page = ARCHITECTURE.read_text(encoding="utf-8")
    assert page == with_table(page), MAKE


def test_the_list_of_modules_is_in_step():
    assert MODULES.read_text(encoding="utf-8") == modules_page(), MAKE


def test_every_module_says_what_it_is():
    python = [*within("visatb", ".py"), *within("workflow_scripts", ".py"), *within("benchmarks", ".py")]
    assert [file for file in python if not first_line(file)] == []


def test_the_index_links_every_page_once():
    links = re.findall(r"\]\(([\w/.-]+\.md)\)", text_of("docs/README.md").split("**Use it**")[1])
    pages = [file for file in files() if re.fullmatch(r"docs/\w+\.md|(?:config|data|results)/README\.md|\w+\.md", file)]
    wanted = {file.removeprefix("docs/") if file.startswith("docs/") else f"../{file}" for file in pages}
    assert sorted(links) == sorted(wanted - {"README.md", "../README.md"})


def test_functions_that_the_page_of_the_paper_names_are_there():
    named = NAMED.findall(text_of("docs/paper.md"))
    lost = [f"{path}: {name}" for name, path in named if name not in defined(path)]
    assert lost == []
    assert len(named) > 50


def defined(path: str) -> set[str]:
    """Return the functions, classes and constants at the top of a module."""
    names = set()
    for node in parsed(path).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            names.add(node.target.id)
    return names


def test_the_page_of_the_paper_has_every_equation():
    numbers = re.findall(r"^\| ([\d, ]+) \| .* \| .*\.py\)", text_of("docs/paper.md"), re.MULTILINE)
    assert sorted(int(number) for cell in numbers for number in cell.split(", ")) == list(range(1, 13))


def test_hooks_run_what_the_check_runs():
    check = text_of("Makefile").split("\ncheck:")[1].split("\n\n")[0]
    hooks = yaml.safe_load(text_of(".pre-commit-config.yaml"))["repos"][0]["hooks"]
    assert {hook["language"] for hook in hooks} == {"system"}
    for words in [hook["entry"].split() for hook in hooks[:4]]:
        assert " ".join(words[: 2 if words[0] == "ruff" else 1]) in check


def test_ci_runs_what_there_is():
    jobs = yaml.safe_load(text_of(".github/workflows/ci.yaml"))["jobs"]
    commands = [step["run"] for job in jobs.values() for step in job["steps"] if "run" in step]
    targets = {word for line in commands if line.startswith("make") for word in line.split()[1:] if "=" not in word}
    makefile = text_of("Makefile").replace("$(VENV)", ".venv")
    assert [target for target in targets if not re.search(rf"^{re.escape(target)}:", makefile, re.MULTILINE)] == []
    tested = {word for line in commands for word in line.split() if word.startswith("tests/")}
    assert [folder for folder in tested if not (ROOT / folder).is_dir()] == []
    assert jobs["unit"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
