"""The console in Chromium before, during and after an outage of the primary; the replay is started from the page."""

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from local.stack import Stack
from tests.console.open_page import OpenPage
from tests.drill import batches
from tests.drill.operated_console import run_console
from tests.drill.traffic import Traffic
from tests.stack.operator import ROOT
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually

SCREENSHOTS = ROOT / ".local/screenshots"
WAIT_MS = 120_000  # the longest wait for the page
WINDOWS: dict[str, dict[str, Any]] = {
    "wide-light": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "light"},
    "wide-dark": {"viewport": {"width": 1440, "height": 900}, "color_scheme": "dark"},
    "narrow-light": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
    "narrow-dark": {"viewport": {"width": 320, "height": 700}, "color_scheme": "dark"},
}


@pytest.fixture
def windows(stack: Stack, browser: Browser) -> Iterator[dict[str, OpenPage]]:
    """The console of the stack in four windows. At the end none of them may have reported a problem."""
    with run_console(stack) as (url, token):
        windows = {}
        for name, options in WINDOWS.items():
            context = browser.new_context(**options)
            context.set_default_timeout(60_000)
            windows[name] = OpenPage(context.new_page(), url, token)
            windows[name].go("overview")
        yield windows
        for window in windows.values():
            window.close()
    assert {name: window.problems for name, window in windows.items() if window.problems} == {}


@pytest.mark.timeout(900)
def test_the_console_shows_an_outage_and_repairs_it(
    recovery: RecoveryHarness, traffic: Callable[[str], Traffic], windows: dict[str, OpenPage]
) -> None:
    stack, writes, page = recovery.stack, traffic("V"), windows["wide-light"].page
    keys, failed = batches.list_keys(recovery), len(recovery.list_executions("Load", "FAILED"))
    with recovery.disable_rules("RecoverySchedule", "BatchesParked"), recovery.limit_load_retries():
        with writes.write_continuously():
            expect(find_stage(windows, "ledger")).to_contain_text("accepts writes", timeout=WAIT_MS)
            eventually(lambda: writes.accepted > 500)
            for stage in ("requests", "stream", "ledger"):
                expect(find_stage(windows, stage).locator(".figure")).to_have_text(re.compile("[1-9]"), timeout=WAIT_MS)
            take_screenshots(windows, "1-before")

            stack.servers.primary.kill()
            before, killed = writes.accepted, time.monotonic()
            expect(find_stage(windows, "ledger")).to_contain_text("primary does not respond", timeout=WAIT_MS)
            noticed_seconds = time.monotonic() - killed
            expect(page.locator(".verdict")).to_contain_text("Needs attention")
            expect(find_stage(windows, "batches")).to_have_attribute("data-flow", "stopped")
            eventually(lambda: len(recovery.list_executions("Load", "FAILED")) > 12, 300)
            eventually(lambda: writes.accepted > before + 1_000)
            take_screenshots(windows, "2-during")
        during, outage_seconds = writes.accepted - before, time.monotonic() - killed
        stack.servers.start()

        expect(find_stage(windows, "ledger")).to_contain_text("accepts writes", timeout=WAIT_MS)
        expect(find_stage(windows, "batches")).to_contain_text("parked", timeout=WAIT_MS)
        # Then the last writes are delivered, and loads that still retried have found the primary again.
        batches.wait_for_delivery(recovery, keys, writes.accepted)
        missing = eventually(lambda: count_parked(recovery, failed))
        replay_from_the_page(windows["wide-light"], recovery, missing)
    with stack.servers.primary.connect(*stack.servers.admin_credentials, database="sluice", autocommit=True) as primary:
        eventually(lambda: writes.read_rows(primary) == writes.rows)
    assert recovery.count_missing() == 0

    windows["wide-light"].go("overview")
    expect(find_stage(windows, "batches")).to_contain_text("nothing waits", timeout=WAIT_MS)
    outage = windows["wide-light"].go("timeline?minutes=5").locator(".mark.outage").first
    expect(outage).to_have_attribute("aria-label", re.compile("primary unavailable, from .* until"))
    take_screenshots(windows, "3-after")
    code = next(iter(writes.rows))
    history = windows["wide-light"].go(f"item/airports/{code}")
    expect(history.locator(".history")).to_contain_text("applied")
    history.screenshot(path=SCREENSHOTS / "4-item.png")
    visit_other_views(windows["wide-light"])
    print(
        f"\nconsole: {during:,} writes accepted while the primary was down for {outage_seconds:.0f} s; the page showed "
        f"it after {noticed_seconds:.1f} s; a replay from the page loaded {missing} batches; every row was correct"
    )


def count_parked(recovery: RecoveryHarness, failed: int) -> int | None:
    """The parked batches, if nothing else is missing; `failed` loads had failed before."""
    missing = recovery.count_missing()
    return missing if missing == len(recovery.list_executions("Load", "FAILED")) - failed else None


def find_stage(windows: dict[str, OpenPage], stage: str) -> Locator:
    return windows["wide-light"].page.locator(f"[data-stage={stage}]")


def replay_from_the_page(window: OpenPage, recovery: RecoveryHarness, missing: int) -> None:
    """Try a replay, see that nothing changed, and run it."""
    page = window.go("commands/replay")
    run = page.get_by_role("button", name="Run", exact=True)
    expect(run).to_be_disabled()
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_role("log")).to_contain_text("would be loaded; nothing was changed", timeout=WAIT_MS)
    assert recovery.count_missing() == missing
    page.screenshot(path=SCREENSHOTS / "2-replay-tried.png")
    run.click()
    expect(page.get_by_role("log", name="Output of replay")).to_contain_text("nothing remains", timeout=WAIT_MS)
    expect(page.locator(".run .state")).to_have_text("done")
    page.screenshot(path=SCREENSHOTS / "2-replay-done.png")


def visit_other_views(window: OpenPage) -> None:
    """Open the lists, and from each the first thing that it leads to. None may show an error."""
    for view in ("batches", "executions", "rejected-writes", "quarantine"):
        page = window.go(view)
        expect(page.locator("main")).to_contain_text(re.compile(r"\d+ (batches|executions)|No write is|is empty"))
        if first := page.locator("tbody a").all()[:1]:
            first[0].click()
            expect(page.locator("main .members")).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
        page.screenshot(path=SCREENSHOTS / f"4-{view}.png", full_page=True)


def take_screenshots(windows: dict[str, OpenPage], moment: str) -> None:
    """Save overview and timeline of each window, and check that none scrolls sideways."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    for name, window in windows.items():
        for view in ("timeline?minutes=5", "overview"):
            page = window.go(view)
            # A view that just opened shows the next snapshot.
            expect(page.locator("main")).not_to_contain_text("Reading the state")
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (name, view)
            page.screenshot(path=SCREENSHOTS / f"{moment}-{view.partition('?')[0]}-{name}.png", full_page=True)
