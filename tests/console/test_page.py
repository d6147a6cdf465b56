"""The console's page in Chromium: every view, for every reader, in every window."""

import datetime
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from ops.console.messages import Problem, Rates, to_document
from tests.console import sample_messages
from tests.console.fixture_console import FixtureConsole
from tests.console.open_page import OpenPage

OpenConsole = Callable[..., OpenPage]

BATCH = f"batches/{quote(sample_messages.KEY, safe='')}"
# Each view, and texts that it shows.
VIEWS = {
    "overview": ["Needs attention: 1 piece of advice", "1,235 writes accepted per second", "2 batches waiting",
        "about 1,440 times an hour", "1 s behind the primary",
    ],
    "timeline": ["60 batches, from delivery to load", "recover: 1 execution", "Show the timeline as tables"],
    "batches": ["60 batches", "parked", "2026-11-29 16:01:40 UTC"],
    BATCH: [sample_messages.KEY, "loaded", "The first 1 write", "request-900"],
    "rejected-writes": ["1 rejected write", sample_messages.REASON, "airports/LPPT", "line 3"],
    "quarantine": ["1 quarantined batch", "512 bytes", "2026-11-29 16:48:20 UTC"],
    "executions": ["3 executions", "scheduled-1", "9 min 20 s"],
    "executions/recover/scheduled-1": ["succeeded", '"trigger": "schedule"', "nothing remains", "10 min"],
    "item/airports/LPPT": [
        "3 writes, the latest first", "60 batches read", "Several owners", "1 batch more", "superseded by",
        sample_messages.REASON, "request-600", "Lisbon 600",
    ],
    "commands": ["Load the batches that the ledger lacks.", "destructive", "verify"],
    "commands/rebuild": ["This command is destructive.", "Name of the stack, to confirm"],
    "commands/restore": ["This command is destructive.", "restore this snapshot", "Name of the stack, to confirm"],
    "commands/replay": ["start of the window of arrival", "Dry run first"],
}  # fmt: skip
WIDTHS = (320, 480, 768, 1024, 1120, 1280, 1920)


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
    console.publish(sample_messages.create_snapshot(is_outage=True))
    opened = open_console(color_scheme="dark")
    for view in ("overview", "timeline", "item/airports/LPPT", "commands/rebuild", "commands/restore"):
        page = opened.go(view)
        assert find_serious(page, runOnly=["color-contrast"]) == [], view
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, re.findall(r"\d+", ground)[:3])) < 64


def find_serious(page: Page, **options: Any) -> list[Any]:
    """The violations that axe calls serious or critical, with the elements."""
    violations = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
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


def test_the_keyboard_reaches_everything(page: Page, console: FixtureConsole) -> None:
    parked = console.documents["/api/timeline"]["batches"][-2]["key"]
    console.documents[f"/api/batches/{parked}"] = console.documents[f"/api/batches/{sample_messages.KEY}"]
    page.reload()
    expect(page.locator("[data-stage=ledger]")).to_be_visible()
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
    expect(page.locator(".detail")).to_contain_text("Batch sluice-0059.jsonl.gz: delivered at 16:57:23, pending")
    page.keyboard.press("ArrowLeft")
    expect(page.locator(".detail")).to_contain_text("parked")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1, name="Batch")).to_be_focused()
    expect(page.locator("main")).to_contain_text(parked)
    expect(page.get_by_role("heading", level=2, name="Writes")).to_be_visible()


def test_a_narrow_window_has_a_menu(open_console: OpenConsole) -> None:
    page = open_console(viewport={"width": 320, "height": 700}).go("overview")
    link = page.get_by_role("link", name="Quarantine", exact=True)
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
        "() => { window.said = []; const place = document.getElementById('announcements');"
        "new MutationObserver(() => window.said.push(place.textContent))"
        ".observe(place, {childList: true, characterData: true, subtree: true}) }"
    )
    for second in range(5):
        console.publish(sample_messages.create_snapshot(is_outage=True, seconds=second))
    expect(page.locator(".verdict")).to_contain_text("read at 2026-11-29 17:00:04 UTC")
    expect(ledger).to_contain_text("primary does not respond")
    expect(page.locator("[data-stage=batches]")).to_have_attribute("data-flow", "stopped")
    expect(page.locator("[data-stage=stream]")).to_contain_text("1,235")
    expect(page.get_by_role("table", name="Alarms that fired")).to_contain_text("BatchesParked")
    assert page.evaluate("window.said") == ["Needs attention: 1 alarm, 2 pieces of advice"]


def test_each_replica_is_drawn_with_its_state(page: Page, console: FixtureConsole) -> None:
    card = page.locator("[data-stage=replicas]")
    expect(card).to_contain_text("all replicate")
    expect(card).to_contain_text("replica-21 s behind")
    status = sample_messages.create_status(is_outage=False)
    status["replicas"] = [
        sample_messages.create_replica(1),
        sample_messages.create_replica(2, is_reachable=False, replicates=False, seconds=None),
        sample_messages.create_replica(3, replicates=False, seconds=None),
        sample_messages.create_replica(4, seconds=95.0),
    ]
    console.publish(replace(sample_messages.create_snapshot(), status=status, lag_seconds=95.0))
    expect(card).to_contain_text("1 of 4 replicate")
    expect(card.locator(".figures > div")).to_have_text(
        [
            "reads17 per second",
            "replica-10.2 s behind",
            "replica-2does not respond",
            "replica-3does not replicate",
            "replica-41 min 35 s behind",
        ]
    )
    states = [card.locator("dd").nth(number).get_attribute("data-state") for number in range(1, 5)]
    assert states == ["ok", "problem", "problem", "attention"]
    expect(card.locator(".figure")).to_have_text("1 min 35 s")


@pytest.mark.parametrize(
    ("replicas", "word"),
    [
        ([{"is_reachable": False, "replicates": False, "seconds": None}] * 2, "none responds"),
        ([{"replicates": False, "seconds": None}] * 2, "none replicates"),
        ([{"seconds": 95.0}] * 2, "up to 1 min 35 s behind"),
        ([{"is_reachable": False, "replicates": False, "seconds": None}], "does not respond"),
        ([], "primary serves reads"),
    ],
)
def test_the_replicas_are_judged_together(
    page: Page, console: FixtureConsole, replicas: list[dict[str, Any]], word: str
) -> None:
    status = sample_messages.create_status(is_outage=False)
    described = [sample_messages.create_replica(number, **changes) for number, changes in enumerate(replicas, 1)]
    status["replicas"] = described
    lag = max((each["seconds"] for each in described if each["replicates"]), default=None)
    status["lag_seconds"] = lag
    console.publish(replace(sample_messages.create_snapshot(), status=status, lag_seconds=lag))
    expect(page.locator("[data-stage=replicas] .state")).to_have_text(word)


def test_without_replicas_reads_are_as_new_as_the_primary(page: Page, console: FixtureConsole) -> None:
    status = {**sample_messages.create_status(is_outage=False), "replicas": []}
    console.publish(replace(sample_messages.create_snapshot(), status=status, lag_seconds=None))
    card = page.locator("[data-stage=replicas]")
    expect(card.locator(".figures > div")).to_have_text(["reads17 per second", "replicasnone"])
    expect(card.locator(".figure")).to_have_text("0 s")
    status = {**sample_messages.create_status(is_outage=True), "replicas": []}
    console.publish(replace(sample_messages.create_snapshot(), status=status, lag_seconds=None))
    expect(card.locator(".state")).to_have_text("no reads")
    expect(card.locator(".figure")).to_have_text("unknown")


def test_a_tick_keeps_focus_and_open_parts(page: Page, console: FixtureConsole) -> None:
    summary = page.get_by_text("3 alarms are quiet")
    summary.click()
    console.publish(sample_messages.create_snapshot(seconds=60))
    expect(page.locator(".verdict")).to_contain_text("17:01:00")
    expect(summary).to_be_focused()
    expect(page.get_by_role("table", name="Quiet alarms")).to_be_visible()


def test_the_curves_survive_a_change_of_the_view(open_console: OpenConsole, console: FixtureConsole) -> None:
    opened = open_console()
    page = opened.go("overview")
    for second in range(1, 5):
        snapshot = sample_messages.create_snapshot(seconds=second)
        console.publish(replace(snapshot, rates=Rates()) if second == 2 else snapshot)
        expect(page.locator(".verdict")).to_contain_text(f"17:00:0{second}")
    curve = page.locator("[data-stage=stream] .spark path").get_attribute("d")
    opened.go("commands")
    opened.go("overview")
    assert page.locator("[data-stage=stream] .spark path").get_attribute("d") == curve
    # An unknown value is a gap.
    assert re.sub(r"[\d. ]", "", curve or "") == "MLML"


def test_a_lost_connection_is_visible_until_it_returns(open_console: OpenConsole, console: FixtureConsole) -> None:
    opened = open_console()
    page = opened.go("overview")
    console.lose_connections()
    expect(page.locator("#connection")).to_have_text("Connection lost")
    expect(page.locator("#lost")).to_contain_text("What you see is old")
    expect(page.locator("#announcements")).to_have_text("Connection lost. What you see is old.")
    console.accept_connections()
    expect(page.locator("#connection")).to_have_text("Live", timeout=20_000)
    expect(page.locator("#lost")).to_be_hidden()
    opened.problems.clear()


def test_the_token_leaves_the_address_and_survives_a_reload(open_console: OpenConsole, console: FixtureConsole) -> None:
    opened = open_console()
    page = opened.go("batches")
    assert "token" not in page.url
    page.reload()
    expect(page.locator("main")).to_contain_text("60 batches")
    # The server started again, with another token: only its new address opens the console.
    console.token = "token-2"
    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("Open the address that `sluice console` printed last.")
    page.goto(f"{console.url}/#token=token-2")
    expect(page).to_have_url(f"{console.url}/")
    expect(page.locator("#connection")).to_have_text("Live")
    opened.forget_problems("401")


def test_a_view_without_rows_and_one_with_an_error(open_console: OpenConsole, console: FixtureConsole) -> None:
    opened = open_console()
    for view, sentence in (
        ("batches", "No batch in this time."),
        ("rejected-writes", "No write is rejected."),
        ("quarantine", "The quarantine is empty."),
        ("executions", "No workflow ran yet."),
    ):
        path = f"/api/{view}"
        console.documents[path] = {"rows": [], "is_complete": True, "problems": []}
        page = opened.go(view)
        expect(page.locator("main")).to_contain_text(sentence)
        console.failures[path] = (502, Problem("The primary does not respond.", "See `sluice status`."))
        page.get_by_role("button", name="Refresh").click()
        expect(page.get_by_role("alert")).to_contain_text("The primary does not respond.")
        expect(page.get_by_role("alert")).to_contain_text("See `sluice status`.")
        del console.failures[path]
        page.get_by_role("button", name="Try again").click()
        expect(page.locator("main")).to_contain_text(sentence)
    opened.forget_problems("502")


def test_the_history_of_one_owner_is_read_when_several_have_the_id(open_console: OpenConsole) -> None:
    page = open_console().go("item/airports/LPPT")
    for name, owner in (("ana", "ana"), ("no owner", "")):
        with page.expect_request(f"**/api/items/airports/LPPT?owner={owner}&hours=24"):
            page.get_by_role("link", name=name, exact=True).click()
        expect(page.locator("main")).to_contain_text("Several owners")


def test_a_state_that_cannot_be_read_says_why(page: Page, console: FixtureConsole) -> None:
    unread = sample_messages.create_snapshot()
    console.publish(
        replace(unread, status=None, waiting=None, lag_seconds=None, problems=[Problem("No credentials.", "Sign in.")])
    )
    expect(page.locator(".verdict")).to_contain_text("The state of the stack cannot be read")
    expect(page.get_by_role("alert")).to_contain_text("No credentials.")
    expect(page.locator("[data-stage=batches]")).to_contain_text("unknown")


def test_times_have_the_local_time_as_title(open_console: OpenConsole) -> None:
    page = open_console(timezone_id="Asia/Tokyo").go("quarantine")
    moment = page.get_by_text("2026-11-29 16:48:20 UTC")
    expect(moment).to_have_attribute("title", re.compile(r"Nov 30, 2026, 1:48:20.*your time"))
    assert datetime.datetime.fromisoformat(moment.get_attribute("datetime") or "").utcoffset() == datetime.timedelta()


def test_reduced_motion_stops_the_pipes(open_console: OpenConsole) -> None:
    page = open_console(reduced_motion="no-preference").go("overview")
    animation = "getComputedStyle(document.querySelector('[data-stage=stream] .water')).animationName"
    assert page.evaluate(animation) == "flow"
    page.emulate_media(reduced_motion="reduce")
    assert page.evaluate(animation) == "none"


def test_a_day_with_many_batches_stays_a_small_drawing(open_console: OpenConsole, console: FixtureConsole) -> None:
    console.documents["/api/timeline"] = to_document(sample_messages.create_timeline(5_000))
    page = open_console().go("timeline")
    assert 100 < page.locator(".mark").count() < 300
    page.locator("[data-lane=batches]").nth(2).focus()
    expect(page.locator(".detail")).to_contain_text("21 batches: delivered at")
