"""The report of a finished experiment in a browser: complete, in the order of the story, and without a network."""

import subprocess
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.helpers.browsing import DESKTOP, PHONE, Visit
from tests.helpers.running import TINY, run_workflow
from visatb.reporting.categories import Category

TITLES = [category.title for category in Category if category is not Category.DATA]


@pytest.fixture(scope="module")
def report(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("report") / "copy"
    subprocess.run(["cp", "-a", str(tiny), str(copy)], check=True)
    run_workflow(copy, "--report", "report.html", configfile=TINY)
    return copy / "report.html"


def opened(visit: Visit, report: Path, size: tuple[int, int] = DESKTOP) -> Page:
    page = visit.open(report, size)
    expect(page.get_by_text(TITLES[0], exact=True)).to_be_visible(timeout=20_000)
    return page


def test_categories_follow_the_story_and_every_picture_has_a_caption(visit: Visit, report: Path):
    page = opened(visit, report)
    shown = page.evaluate("Object.keys(categories).sort((one, other) => one.localeCompare(other))")
    assert shown == TITLES
    without = page.evaluate("Object.entries(results).filter(([, one]) => !one.caption).map(([path]) => path)")
    assert without == []
    runs = page.evaluate("Object.values(results).map(one => one.labels.shows).filter(name => name)")
    for name in ("all runs", "training of mini", "training of visatb", "explorer: what if?", "cost runs (table)"):
        assert name in runs


@pytest.mark.parametrize("title", TITLES)
def test_everything_in_a_category_can_be_looked_at(visit: Visit, report: Path, title: str):
    page = opened(visit, report)
    page.get_by_text(title, exact=True).click()
    rows = page.locator("tbody tr")
    expect(rows.first).to_be_visible()
    for row in rows.all():
        row.locator("a").first.click()
        picture, frame = page.locator("#app .p-3 > img"), page.locator("iframe")
        expect(picture.or_(frame).first).to_be_visible()
        if picture.count():
            assert picture.evaluate("one => one.decode().then(() => one.naturalWidth)") > 200
        else:
            expect(page.frame_locator("iframe").locator("table").first).to_be_visible()


def test_the_explorer_works_inside_the_report(visit: Visit, report: Path):
    page = opened(visit, report)
    page.get_by_text("6 Weights", exact=True).click()
    page.locator("tbody tr", has_text="explorer").locator("a").first.click()
    inside = page.frame_locator("iframe")
    expect(inside.locator("body[data-ready]")).to_be_attached(timeout=20_000)
    inside.locator("#temperature-number").fill("2")
    assert inside.locator("#config").input_value().startswith("balancing:\n  temperature: 2\n")
    inside.get_by_role("button", name="Copy these lines").click()
    expect(inside.locator("#copied")).not_to_be_empty()


def test_it_opens_on_a_phone(visit: Visit, report: Path):
    opened(visit, report, PHONE)
