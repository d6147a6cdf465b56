"""A Chromium for the tests of the page, and the console with sample answers that it opens."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.console.fixture_console import FixtureConsole, run_fixture_console
from tests.console.open_page import OpenPage


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium without a window.

    Of one module: while Playwright runs, no later test of the same process could run an event loop.
    """
    chromium = shutil.which("chromium-headless-shell") or shutil.which("chromium")
    assert chromium, "Chromium is missing: `local/setup.sh browser` installs it."
    # Chromium's sandbox refuses to work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def console() -> Iterator[FixtureConsole]:
    with run_fixture_console() as console:
        yield console


@pytest.fixture
def open_console(browser: Browser, console: FixtureConsole) -> Iterator[Callable[..., OpenPage]]:
    """Return a function that opens the console; its options are those of a browser context.

    At the end of the test no page may have reported an error, a violation of its policy, or a request elsewhere.
    """
    opened = []

    def open_(**options: Any) -> OpenPage:
        # Nothing moves while the tests look, unless a test wants it to.
        context = browser.new_context(**{"reduced_motion": "reduce", **options})
        context.set_default_timeout(10_000)
        opened.append(OpenPage(context.new_page(), console.url, console.token))
        return opened[-1]

    yield open_
    for page in opened:
        page.close()
    assert [problem for page in opened for problem in page.problems] == []


@pytest.fixture
def page(open_console: Callable[..., OpenPage]) -> Page:
    """The console's overview in a window of usual size."""
    opened = open_console()
    opened.go("overview")
    return opened.page
