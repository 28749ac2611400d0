"""The explorer page in a browser: its numbers against the library's, and what people do with it."""

import json
import re
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import yaml
from playwright.sync_api import Page, expect

from tests.helpers.browsing import DESKTOP, PHONE, Visit
from tests.helpers.explorer_examples import GROUPS, SETTINGS, build, computed
from tests.helpers.paths import REPOSITORY
from visatb.config.balancing import AlphaConfig, BalanceSettings
from visatb.config.loading import merge, read_yaml, resolve_extends
from visatb.experiment.experiment import Experiment

NASTY = {
    '<img src=x onerror="window.hacked=1">': ['<img src=x onerror="window.hacked=1">'],
    "</script><script>window.hacked=1</script>": ["</script><script>window.hacked=1</script>"],
    'it\'s "quoted" & <!-- ${1} {{ 2 }} \\ ': ["a", "</textarea><b>b"],
}
SHARES = {"alpha-out": 0.4, "alpha-in": 0.125, "alpha-difficulty": 0.9}


@pytest.fixture(scope="module")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("explorer") / "explorer.html", fixed={"sharegpt": 1.5})


@pytest.fixture
def page(visit: Visit, page_file: Path) -> Page:
    return opened(visit, page_file)


def opened(visit: Visit, path: Path, size: tuple[int, int] = DESKTOP) -> Page:
    page = visit.open(path, size)
    expect(page.locator("body[data-ready]")).to_be_attached(timeout=20_000)
    return page


def shown(page: Page) -> dict[str, list[float]]:
    """Return group -> all numbers of its row, with every digit: weight, low, high, now, equal, C_out, C_in, D."""
    rows = page.locator("#groups tr").evaluate_all(
        "rows => rows.map(row => [row.querySelector('input').dataset.group,"
        " [...row.querySelectorAll('data')].map(one => Number(one.value))])"
    )
    names = list(GROUPS)
    return {names[int(group)]: numbers for group, numbers in rows}


def config_of(page: Page) -> dict:
    return yaml.safe_load(page.locator("#config").input_value())


def settings_of(page: Page) -> BalanceSettings:
    said = config_of(page)["balancing"]
    return BalanceSettings(temperature=said["temperature"], alpha=said["alpha"])


def set_number(page: Page, name: str, value: float) -> None:
    page.locator(f"#{name}-number").fill(str(value))


def switch(page: Page, group: str) -> None:
    page.locator(f"#groups input[data-group='{list(GROUPS).index(group)}']").click()


@pytest.mark.parametrize("temperature", ["auto", 0.05, 0.37, 2.0])
def test_the_page_computes_what_the_library_does(page: Page, temperature: float | str):
    """The library is given the matrix, the samples and the groups without those that are off, and nothing else."""
    for share, off in product([None, *SHARES], [(), ("vqa",), ("boxes", "chart"), ("stuck",), ("caption", "vqa")]):
        page.get_by_role("button", name="Back to the current choice").click()
        choose(page, temperature, share, off)
        settings, on = settings_of(page), [group for group in GROUPS if group not in off]
        assert settings.temperature == temperature
        point, bounds = computed(GROUPS, settings, on)
        numbers = shown(page)
        for group in on:
            expected = [point.weights[group], *bounds[group]]
            assert numbers[group][:3] == pytest.approx(expected, abs=1e-6)
            assert numbers[group][5:] == pytest.approx(
                [point.C_out[group], point.C_in[group], point.D[group]], abs=1e-6
            )
        assert sum(numbers[group][0] for group in on) == pytest.approx(len(on), abs=1e-6)
        assert all(len(numbers[group]) == 2 for group in off), "a group that is off has only the weight it has now"
        assert f"T = {point.temperature:.4g}," in page.locator("#summary").inner_text()


def choose(page: Page, temperature: float | str, share: str | None, off: tuple[str, ...]) -> None:
    if temperature == "auto":
        page.locator("#automatic").check()
    else:
        set_number(page, "temperature", temperature)
    if share:
        set_number(page, share, SHARES[share])
    for group in off:
        switch(page, group)


def test_it_opens_with_the_current_choice(page: Page, visit: Visit):
    point, bounds = computed(GROUPS, SETTINGS, list(GROUPS))
    for group, (weight, low, high, now, equal, *_) in shown(page).items():
        assert (weight, low, high) == pytest.approx((point.weights[group], *bounds[group]), abs=1e-6)
        assert (now, equal) == (weight, 1)
    assert settings_of(page) == SETTINGS
    assert "sharegpt 1.5" in page.locator("#fixed").inner_text()
    assert page.get_by_text("stuck *").count() == 1, "what was not measured is marked"
    assert visit.complaints == []


def test_the_automatic_temperature_is_marked_and_moves_with_the_shares(page: Page):
    def marked() -> float:
        return float(re.search(r"T = ([\d.]+)", page.locator("#automatic-says").inner_text()).group(1))

    automatic = BalanceSettings(temperature="auto")
    assert marked() == computed(GROUPS, automatic, list(GROUPS))[0].temperature
    set_number(page, "alpha-difficulty", 0)
    set_number(page, "alpha-out", 0)
    inward = BalanceSettings(temperature="auto", alpha=AlphaConfig.of(0, 1, 0))
    assert marked() == computed(GROUPS, inward, list(GROUPS))[0].temperature
    set_number(page, "temperature", marked())
    mark, slider = (page.locator(name).bounding_box() for name in ("#automatic-mark span", "#temperature"))
    travelled = page.locator("#temperature").evaluate("one => (one.value - one.min) / (one.max - one.min)")
    thumb = slider["x"] + 8 + travelled * (slider["width"] - 16)
    assert mark["x"] + mark["width"] / 2 == pytest.approx(thumb, abs=2), "the mark stands above the slider's thumb"


@pytest.mark.parametrize("moves", [[0.4], [1.0, 0.0], [0.333, 0.333, 0.333], [0, 0, 0], [0.999, 0.001]])
def test_shares_always_sum_to_one(page: Page, moves: list[float]):
    for (name, _), value in zip(SHARES.items(), moves, strict=False):
        set_number(page, name, value)
        shares = config_of(page)["balancing"]["alpha"]
        assert shares[name.removeprefix("alpha-")] == value
        assert sum(shares.values()) == pytest.approx(1, abs=1e-9)
        assert min(shares.values()) >= 0


def test_the_copied_lines_are_a_config(page: Page, monkeypatch: pytest.MonkeyPatch):
    """Laid over a config with these tasks, they give the settings and groups that are shown, and nothing else."""
    monkeypatch.chdir(REPOSITORY)
    demo = resolve_extends(read_yaml("config/config.yaml"))
    tasks = {task: {"data": f"{task}/{{split}}.json", "metrics": "EM"} for tasks in GROUPS.values() for task in tasks}
    demo = {**demo, "corpus": None, "tasks": tasks, "groups": {"boxes": GROUPS["boxes"]}}
    for group in ("boxes", "vqa"):
        switch(page, group)
    set_number(page, "temperature", 0.7)
    page.get_by_role("button", name="Copy these lines").click()
    expect(page.locator("#copied")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    experiment = Experiment.from_values(merge(demo, yaml.safe_load(copied)))
    assert list(experiment.groups) == ["caption", "chart", "stuck"]
    assert experiment.balance_settings("visatb") == BalanceSettings(temperature=0.7)


def test_what_cannot_be_computed_is_said(page: Page):
    for group in ("caption", "boxes", "vqa"):
        switch(page, group)
    switch(page, "chart")
    assert "switch on at least two" in page.locator("#summary").inner_text()
    assert page.get_by_role("button", name="Copy these lines").is_disabled()
    assert all(len(numbers) == 2 for numbers in shown(page).values())
    page.get_by_role("button", name="Back to the current choice").click()
    assert settings_of(page) == SETTINGS
    assert all(len(numbers) == 8 for numbers in shown(page).values())


def test_groups_that_nobody_measured_alone_are_refused(visit: Visit, tmp_path: Path):
    page = opened(visit, build(tmp_path / "page.html", unlearned=("stuck", "chart")))
    for group in ("caption", "boxes", "vqa"):
        switch(page, group)
    assert "None of these groups was measured" in page.locator("#summary").inner_text()


def test_switching_off_is_explained(page: Page):
    text = page.locator("main").inner_text()
    assert "Groups switched off" in text
    assert "was in every preparation training all the same" in text


def test_the_keyboard_reaches_and_moves_everything(page: Page):
    reached = []
    for _ in range(30):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.dataset.group"))
        if reached[-1] == "config":
            break
    controls = ["temperature", "temperature-number", "automatic"]
    controls += [name for share in SHARES for name in (share, f"{share}-number")]
    assert reached == [*controls, "reset", *map(str, range(len(GROUPS))), "copy", "config"]
    page.locator("#temperature").focus()
    page.keyboard.press("PageUp")
    assert settings_of(page).temperature == 1.0
    page.keyboard.press("ArrowLeft")
    assert settings_of(page).temperature == pytest.approx(2 ** (-1 / 8), abs=1e-3)
    page.locator("#alpha-out").focus()
    page.keyboard.press("ArrowRight")
    assert settings_of(page).alpha.out > 0.25
    page.locator("#groups input").first.focus()
    page.keyboard.press("Space")
    assert len(shown(page)["caption"]) == 2


def test_the_chart_shows_the_numbers(page: Page):
    def marks() -> int:
        return page.locator("#chart path[aria-roledescription='point']").count()

    assert marks() == 2 * len(GROUPS)
    switch(page, "vqa")
    expect(page.locator("#chart path[aria-roledescription='point']")).to_have_count(2 * len(GROUPS) - 1)
    set_number(page, "temperature", 0.25)
    weight = shown(page)["boxes"][0]
    label = page.locator("#chart path[aria-label*='boxes'][aria-label*='what if']").get_attribute("aria-label")
    said = float(re.search(r"weight: ([\d.]+)", label).group(1))
    assert said == pytest.approx(weight, abs=1e-3)


@pytest.mark.parametrize("size", [DESKTOP, PHONE])
def test_long_names_break_no_layout(visit: Visit, tmp_path: Path, size: tuple[int, int]):
    groups = {"n" * 60: ["n" * 60], **GROUPS, "many": [f"task-with-a-long-name-{k}" for k in range(12)]}
    page = opened(visit, build(tmp_path / "page.html", groups=groups, experiment="e" * 60), size)
    assert page.evaluate("document.scrollingElement.scrollWidth") <= size[0]
    too_wide = page.evaluate(
        "width => [...document.querySelectorAll('fieldset, #chart svg, textarea, h1')]"
        ".filter(one => one.getBoundingClientRect().right > width + 1).map(one => one.outerHTML.slice(0, 80))",
        size[0],
    )
    assert too_wide == []


def test_names_are_text_whatever_they_hold(visit: Visit, tmp_path: Path):
    page = opened(visit, build(tmp_path / "page.html", groups={**NASTY, "vqa": ["vqa"]}, experiment="</title><b>x</b>"))
    labels = page.locator("#groups label").all_inner_texts()
    assert [label.strip() for label in labels[:2]] == list(NASTY)[:2]
    assert labels[2].strip().startswith(list(NASTY)[2].strip())
    assert page.title() == "What if? Task weights of </title><b>x</b>"
    for k in (0, 2):
        page.locator(f"#groups input[data-group='{k}']").click()
    page.locator("#chart path[aria-roledescription='point']").first.hover()
    first, _, third = NASTY
    assert config_of(page)["tasks"] == {first: None, "a": None, "</textarea><b>b": None}
    assert config_of(page)["groups"] == {third: None}
    assert page.locator("img, b").count() == 0
    assert page.evaluate("window.hacked") is None
    assert visit.complaints == []


def test_no_request_leaves_the_page(page: Page):
    refused = page.evaluate("fetch('https://example.org').then(() => 'answered', () => 'refused')")
    assert refused == "refused"
    assert "connect-src" not in page.content(), "the policy allows no connection at all"


def test_a_large_experiment_stays_below_five_megabytes_and_quick(visit: Visit, tmp_path: Path):
    groups = {f"group-{k}": [f"group-{k}"] for k in range(20)}
    path = build(tmp_path / "page.html", groups=groups, images=60, unlearned=(), replicates=1500)
    assert path.stat().st_size < 5_000_000
    page = opened(visit, path)
    count = json.loads(page.locator("#data").text_content())["replicates"]["taken"]
    assert f"first {count} of 1500 replicates" in page.locator("#replicates").inner_text()
    took = page.evaluate(
        "() => { const field = document.getElementById('temperature-number'); const start = performance.now();"
        " field.value = 0.8; field.dispatchEvent(new Event('input')); return performance.now() - start; }"
    )
    assert took < 500


def test_intervals_that_are_not_known_are_not_made_up(visit: Visit, tmp_path: Path):
    page = opened(visit, build(tmp_path / "unknown.html", unknown_spread=("plus-vqa",), notes=["Imported: <b>vqa</b>"]))
    assert "NaN" not in page.locator("main").inner_text()
    expect(page.locator("#summary")).to_contain_text("No interval is known")
    expect(page.locator("header")).to_contain_text("Imported: <b>vqa</b>")
    assert all(np.isfinite(numbers[0]) and not np.isfinite(numbers[1]) for numbers in shown(page).values())
