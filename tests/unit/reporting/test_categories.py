"""Categories of the report: numbered by their place, and nowhere else."""

import re

from tests.helpers.paths import REPOSITORY
from visatb.reporting.categories import Category

RULES = sorted((REPOSITORY / "rules").glob("*.smk"))


def test_every_category_has_a_number_of_its_own_in_the_order_of_the_story() -> None:
    titles = [category.title for category in Category]
    assert [int(title.split()[0]) for title in titles] == list(range(len(Category)))
    assert titles == sorted(titles), "Snakemake sorts them by name"


def test_rules_name_categories_by_the_enumeration_alone() -> None:
    text = "\n".join(path.read_text(encoding="utf-8") for path in RULES)
    given = re.findall(r"category=([^,\n)]+)", text)
    assert given
    assert all(re.fullmatch(r"(Category\.[A-Z_]+|category)\.title", one) for one in given)
    used = set(re.findall(r"\bCategory\.([A-Z_]+)", text))
    assert used == {category.name for category in Category}
    names = "|".join(category.value for category in Category)
    assert not re.findall(rf"[\"']\d+ (?:{names})[\"']", text)
    calls = re.findall(r"\b(?:figure|reported)\(([^)\n]+)\)", text)
    in_lines = [call for call in calls if not call.startswith(("name, category", "path, category"))]
    assert in_lines
    assert all(re.search(r"\bCategory\.|\bcategory\b", call) for call in in_lines), in_lines


def test_the_page_about_the_report_tells_of_them() -> None:
    told = re.findall(r"^\| (\d .+?) \|", (REPOSITORY / "docs" / "report.md").read_text(), re.MULTILINE)
    assert told == [category.title for category in Category]
