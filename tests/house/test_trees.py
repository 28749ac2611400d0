"""The annotated trees of README.md and docs/architecture.md show what git lists."""

import re
from pathlib import PurePosixPath

import pytest

from benchmarks.house import ROOT, files, within

CONTINUED = 20
"""Lines with so many blanks before them go on with the words of the line above."""
PAGES = {"README.md": "## Layout", "docs/architecture.md": "## Rooms"}
HIDDEN = re.compile(r"\.")


def entries(tree: str) -> list[str]:
    """Return the paths that a tree names: two blanks a storey, then names, then at least two blanks and words."""
    above: list[str] = []
    found = []
    for line in filter(str.strip, tree.splitlines()):
        blanks = len(line) - len(line.lstrip())
        if blanks >= CONTINUED:
            continue
        above = above[: blanks // 2]
        names = re.split(r"\s{2,}", line.strip())[0].split(", ")
        found += ["/".join([*above, name.strip("/")]) for name in names]
        above = [*above, names[0].strip("/")]
    return found


def tree_of(page: str) -> list[str]:
    text = (ROOT / page).read_text(encoding="utf-8").split(f"{PAGES[page]}\n", 1)[1]
    return entries(text.split("```\n", 1)[1].split("```", 1)[0])


def there() -> set[str]:
    """Return all files that git lists, and the folders that they lie in."""
    folders = {str(parent) for file in files() for parent in PurePosixPath(file).parents}
    return {*files(), *folders}


@pytest.mark.parametrize("page", PAGES)
def test_what_a_tree_shows_is_there(page: str):
    assert sorted(set(tree_of(page)) - there()) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_tree_names_nothing_twice(page: str):
    assert sorted(tree_of(page)) == sorted(set(tree_of(page)))


def test_both_trees_show_every_entry_at_the_top():
    top = {file.split("/", 1)[0] for file in files() if not HIDDEN.match(file)}
    for page in PAGES:
        assert sorted(top - {path.split("/", 1)[0] for path in tree_of(page)}) == [], page


def test_the_rooms_show_every_package_rule_file_and_program():
    packages = {str(PurePosixPath(file).parent) for file in within("visatb", "__init__.py")}
    wanted = {*packages, *within("rules", ".smk"), *within("workflow_scripts", ".py")}
    assert sorted(wanted - set(tree_of("docs/architecture.md"))) == []


def test_how_trees_are_read():
    tree = """
Snakefile, rules/         how each file is made
  start.smk               the beginning, and
                          more words
visatb/                   the library
  data/, config/          two rooms
    records.py            of the first
docs/                     pages
"""
    expected = ["Snakefile", "rules", "Snakefile/start.smk", "visatb", "visatb/data", "visatb/config"]
    assert entries(tree) == [*expected, "visatb/data/records.py", "docs"]
