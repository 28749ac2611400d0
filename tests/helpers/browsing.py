"""A headless browser for tests of pages, which must load from files alone."""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

DESKTOP, PHONE = (1280, 900), (390, 844)
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class Visit:
    """A browser window, and what the pages in it asked for and complained about."""

    context: BrowserContext
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: Path, size: tuple[int, int] = DESKTOP) -> Page:
        page = self.context.new_page()
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.goto(path.absolute().as_uri())
        return page

    def asked_elsewhere(self) -> list[str]:
        """Return the addresses that were asked for and are no part of a page: neither its file nor data in it."""
        return [url for url in self.requests if not url.startswith(("file:", "data:", "blob:"))]


# Not for the whole session: while it lives, playwright keeps an event loop running, and other tests need their own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        pytest.skip("no browser here: chromium is not installed; bash tests/browser/install.sh does it")
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        running.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Return a window; whatever a test does in it, nothing may be asked for elsewhere."""
    context = browser.new_context(permissions=["clipboard-read", "clipboard-write"])
    window = Visit(context)
    yield window
    context.close()
    assert window.asked_elsewhere() == []
