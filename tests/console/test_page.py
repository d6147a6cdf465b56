"""The console's page in Chromium: every view, for every reader, in every window."""

import datetime
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.console import sample_messages
from tests.console.fixture_console import FixtureConsole
from tests.console.open_page import OpenPage

OpenConsole = Callable[..., OpenPage]

BATCH = f"batches/{quote(sample_messages.KEY, safe='')}"
# Each view, and texts that it shows.
VIEWS = {
    "overview": ["Needs attention: 1 piece of advice", "1,235 writes accepted per second", "2 batches waiting", "1 s behind the primary"],
    "timeline": ["60 batches, from delivery to load", "recover: 1 execution", "Show the timeline as tables"],
    "batches": ["60 batches", "parked", "2026-11-29 16:01:40 UTC"],
    BATCH: [sample_messages.KEY, "loaded"],
    "rejected-writes": ["1 rejected write", "elevation: Out of range value", "airports/LPPT", "line 3"],
    "quarantine": ["1 quarantined batch", "not GZIP", "512 bytes"],
    "executions": ["3 executions", "scheduled-1", "9 min 20 s"],
    "executions/recover/scheduled-1": ["succeeded", '"trigger": "schedule"', '"outcome": "recovered"'],
    "item/airports/LPPT": ["3 writes", "superseded by", "elevation: Out of range value", "request-600", "Lisbon 600"],
    "commands": ["Load the batches that the ledger lacks.", "destructive", "verify"],
    "commands/rebuild": ["This command is destructive.", "Name of the stack, to confirm"],
    "commands/replay": ["start of the window of arrival", "Dry run first"],
}  # fmt: skip
WIDTHS = (320, 480, 768, 1024, 1280, 1920)


def test_every_view_shows_its_data_and_axe_reports_nothing_serious(open_console: OpenConsole) -> None:
    opened = open_console()
    for view, texts in VIEWS.items():
        page = opened.go(view)
        for text in texts:
            expect(page.locator("main")).to_contain_text(text)
        expect(page).to_have_title(
            re.compile(rf"{page.locator('h1').inner_text()}.*{sample_messages.STACK}", re.IGNORECASE)
        )
        assert find_serious(page) == [], view


def test_dark_views_of_an_outage_have_enough_contrast(open_console: OpenConsole, console: FixtureConsole) -> None:
    console.publish(sample_messages.snapshot(is_outage=True))
    opened = open_console(color_scheme="dark")
    for view in ("overview", "timeline", "item/airports/LPPT", "commands/rebuild"):
        page = opened.go(view)
        assert find_serious(page) == [], view
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 64


def find_serious(page: Page) -> list[Any]:
    violations = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [
        (violation["id"], [node["html"] for node in violation["nodes"]])
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
    ]


def test_no_view_scrolls_sideways(open_console: OpenConsole, console: FixtureConsole) -> None:
    long_word = "W" * 300
    console.documents["/api/rejected-writes"]["rows"][0] |= {"reason": long_word, "id": long_word, "batch": long_word}
    console.documents["/api/items/airports/LPPT"]["writes"][0] |= {"reason": long_word, "data": {long_word: long_word}}
    console.snapshot["status"]["advice"] = [long_word]
    console.snapshot["alarms"][0] |= {"state": "ALARM", "name": long_word, "runbook": long_word}
    opened = open_console()
    for view in VIEWS:
        page = opened.go(view)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate("document.documentElement.scrollWidth") <= width, (view, width)


def test_the_keyboard_reaches_everything(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.get_by_role("link", name="Overview").focus()
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Timeline")).to_be_focused()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Timeline")).to_be_focused()
    expect(page.locator(".mark").first).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_label("Time range")).to_be_focused()
    # One Tab stop leads into the drawing; the arrow keys move inside it.
    page.keyboard.press("Tab")
    expect(page.locator(".detail")).to_contain_text("Outage: primary unavailable, from 16:30:00 until 16:40:00, 10 min")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".detail")).to_contain_text("Batch sluice-0000.jsonl.gz: delivered at 16:01:40, loaded at")
    page.keyboard.press("End")
    expect(page.locator(".detail")).to_contain_text("Batch sluice-0059.jsonl.gz: delivered at 16:57:26, pending")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".detail")).to_contain_text("parked")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Batch")).to_be_focused()


def test_a_narrow_window_has_a_menu(open_console: OpenConsole) -> None:
    page = open_console(viewport={"width": 320, "height": 700}).go("overview")
    link = page.get_by_role("link", name="Quarantine")
    expect(link).to_be_hidden()
    menu = page.get_by_role("button", name="Menu")
    menu.focus()
    page.keyboard.press("Enter")
    expect(menu).to_have_attribute("aria-expanded", "true")
    link.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Quarantine")).to_be_focused()
    expect(link).to_be_hidden()


def test_an_outage_changes_the_picture_and_is_announced_once(page: Page, console: FixtureConsole) -> None:
    ledger = page.locator("[data-stage=ledger]")
    expect(ledger).to_contain_text("accepts writes")
    page.evaluate(
        "() => { window.said = []; new MutationObserver(() => window.said.push(document.getElementById('announcements').textContent))"
        ".observe(document.getElementById('announcements'), {childList: true, characterData: true, subtree: true}) }"
    )
    outage = sample_messages.snapshot(is_outage=True)
    for second in range(5):
        console.publish({**outage, "at": sample_messages.at(-second)})
    expect(page.locator(".verdict")).to_contain_text("read at 2026-11-29 17:00:04 UTC")
    expect(ledger).to_contain_text("primary does not respond")
    expect(page.locator("[data-stage=batches]")).to_have_attribute("data-flow", "stopped")
    expect(page.locator("[data-stage=stream]")).to_contain_text("1,235")
    expect(page.get_by_role("table", name="Alarms that fired")).to_contain_text("BatchesParked")
    assert page.evaluate("window.said") == ["Needs attention: 1 alarm, 2 pieces of advice"]


def test_a_tick_keeps_focus_and_open_parts(page: Page, console: FixtureConsole) -> None:
    summary = page.get_by_text("3 alarms are quiet")
    summary.click()
    console.publish({**sample_messages.snapshot(), "at": sample_messages.at(-60)})
    expect(page.locator(".verdict")).to_contain_text("17:01:00")
    expect(summary).to_be_focused()
    expect(page.get_by_role("link", name="Runbook")).to_be_visible()


def test_a_lost_connection_is_visible_until_it_returns(
    page: Page, console: FixtureConsole, open_console: OpenConsole
) -> None:
    opened = open_console()
    page = opened.go("overview")
    console.lose_connections()
    expect(page.locator("#connection")).to_have_text("Connection lost")
    expect(page.locator("#lost")).to_contain_text("What you see is old")
    console.stack = sample_messages.stack_message("token-2")
    console.accept_connections()
    expect(page.locator("#connection")).to_have_text("Live", timeout=20_000)
    expect(page.locator("#lost")).to_be_hidden()
    # The server started again, so commands need its new token.
    opened.go("commands/verify")
    page.get_by_role("button", name="Run", exact=True).click()
    expect(page.locator(".run")).to_contain_text("done")
    opened.problems.clear()


@pytest.mark.parametrize(
    ("view", "path", "sentence"),
    [
        ("batches", "/api/batches", "There are no batches yet."),
        ("rejected-writes", "/api/rejected-writes", "No write is rejected."),
        ("quarantine", "/api/quarantine", "The quarantine is empty."),
        ("executions", "/api/executions", "No workflow ran yet."),
    ],
)
def test_a_view_without_rows_and_one_with_an_error(
    open_console: OpenConsole, console: FixtureConsole, view: str, path: str, sentence: str
) -> None:
    console.documents[path] = {"rows": [], "is_complete": True}
    opened = open_console()
    page = opened.go(view)
    expect(page.locator("main")).to_contain_text(sentence)
    console.failures[path] = (502, {"error": "The primary does not respond.", "hint": "See `sluice status`."})
    opened.go("overview")
    opened.go(view)
    expect(page.get_by_role("alert")).to_contain_text(
        "The primary does not respond. See `sluice status`.".partition(" See")[0]
    )
    expect(page.get_by_role("alert")).to_contain_text("See `sluice status`.")
    del console.failures[path]
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("main")).to_contain_text(sentence)
    opened.forget_problems("502")


def test_times_have_the_local_time_as_title(open_console: OpenConsole) -> None:
    page = open_console(timezone_id="Asia/Tokyo").go("quarantine")
    moment = page.get_by_text("2026-11-29 16:48:20 UTC")
    expect(moment).to_have_attribute("title", re.compile(r"Nov 30, 2026, 1:48:20.*your time"))
    assert datetime.datetime.fromisoformat(moment.get_attribute("datetime") or "").utcoffset() == datetime.timedelta()


def test_reduced_motion_stops_the_pipes(open_console: OpenConsole) -> None:
    animation = "getComputedStyle(document.querySelector('[data-stage=stream] .water')).animationName"
    assert open_console().go("overview").evaluate(animation) == "flow"
    assert open_console(reduced_motion="reduce").go("overview").evaluate(animation) == "none"


def test_a_day_with_many_batches_stays_a_small_drawing(open_console: OpenConsole, console: FixtureConsole) -> None:
    console.documents["/api/timeline"] = sample_messages.timeline(5_000)
    page = open_console().go("timeline")
    assert 100 < page.locator(".mark").count() < 300
    page.locator("[data-lane=batches]").nth(2).focus()
    expect(page.locator(".detail")).to_contain_text("21 batches: delivered at")
