"""Commands of the console's page: dry run first, then the stack's name before anything destructive, then the run."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from ops.console.messages import Problem
from tests.console import sample_messages
from tests.console.fixture_console import FixtureConsole
from tests.console.open_page import OpenPage

OpenConsole = Callable[..., OpenPage]


def test_a_destructive_command_needs_a_dry_run_and_the_typed_name(
    open_console: OpenConsole, console: FixtureConsole
) -> None:
    page = open_console().go("commands/rebuild?reason=restore")
    run, dry_run, name = (
        run_button(page),
        page.get_by_role("button", name="Dry run"),
        page.get_by_label("Name of the stack"),
    )
    expect(page.get_by_label("--reason", exact=True)).to_have_value("restore")
    expect(run).to_be_disabled()
    expect(name).to_be_disabled()
    dry_run.click()
    expect(page.get_by_role("log", name="Output of Dry run of rebuild")).to_contain_text(
        "2 batches would be loaded\nnothing was changed"
    )
    expect(run).to_be_disabled()
    name.fill("sluice")
    expect(run).to_be_disabled()
    # Enter in the field must not run it either.
    name.press("Enter")
    name.fill(sample_messages.STACK)
    expect(run).to_be_enabled()
    page.get_by_label("--reason", exact=True).fill("another")
    expect(run).to_be_disabled()
    expect(page.locator("#run-hint")).to_have_text("The arguments changed. Dry run again.")
    dry_run.click()
    expect(name).to_be_enabled()
    expect(name).to_have_value("")
    name.fill(sample_messages.STACK)
    name.press("Enter")
    expect(page.get_by_role("log", name="Output of rebuild")).to_be_visible()
    expect(page.locator(".run .state")).to_have_text("done")
    expect(run).to_be_disabled()
    assert console.posts == [
        {"command": "rebuild", "arguments": {"reason": "restore"}, "dry_run": True, "confirmation": ""},
        {"command": "rebuild", "arguments": {"reason": "another"}, "dry_run": True, "confirmation": ""},
        {
            "command": "rebuild",
            "arguments": {"reason": "another"},
            "dry_run": False,
            "confirmation": sample_messages.STACK,
        },
    ]


def test_a_replay_is_started_by_keyboard(open_console: OpenConsole, console: FixtureConsole) -> None:
    page = open_console().go("commands/replay")
    page.get_by_label("--from", exact=True).focus()
    for key in ("2026-11-29T16:00:00Z", "Tab", "airports\nbookings", "Tab", "Tab", "Space", "Tab"):
        if key in {"Tab", "Space"}:
            page.keyboard.press(key)
        else:
            page.keyboard.type(key)
    expect(page.get_by_role("button", name="Dry run")).to_be_focused()
    page.keyboard.press("Enter")
    expect(run_button(page)).to_be_enabled()
    expect(page.locator("#announcements")).to_have_text("Dry run of replay: done")
    run_button(page).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#announcements")).to_have_text("replay: done")
    arguments = {
        "begins": "2026-11-29T16:00:00Z",
        "collection": ["airports", "bookings"],
        "source": "batches",
        "wait": True,
    }
    assert console.posts == [
        {"command": "replay", "arguments": arguments, "dry_run": is_dry_run, "confirmation": ""}
        for is_dry_run in (True, False)
    ]


def test_enter_in_an_argument_makes_a_dry_run_only(open_console: OpenConsole, console: FixtureConsole) -> None:
    page = open_console().go("commands/replay")
    for number in (1, 2):
        page.get_by_label("--from", exact=True).press("Enter")
        expect(run_button(page)).to_be_enabled()
        assert [post["dry_run"] for post in console.posts] == [True] * number


def test_a_row_leads_to_its_command_with_the_arguments(open_console: OpenConsole, console: FixtureConsole) -> None:
    page = open_console().go("quarantine")
    key = f"quarantine/{sample_messages.KEY}"
    page.get_by_role("link", name=f"Drop {key}").click()
    expect(page.get_by_role("heading", level=1, name="quarantine drop")).to_be_focused()
    expect(page.get_by_label("KEY", exact=True)).to_have_value(key)
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_label("Name of the stack")).to_be_enabled()
    assert [post["arguments"] for post in console.posts] == [{"keys": [key]}]


def test_a_dry_run_that_fails_allows_nothing(open_console: OpenConsole, console: FixtureConsole) -> None:
    page = open_console().go("commands/replay")
    for exit_code in (1, 2):
        console.output, console.exit_code = ["sluice: --from must be a time."], exit_code
        page.get_by_role("button", name="Dry run").click()
        expect(page.locator(".run .state")).to_have_text(f"ended with exit code {exit_code}")
        expect(page.get_by_role("log")).to_contain_text("--from must be a time.")
        expect(run_button(page)).to_be_disabled()


def test_a_destructive_command_without_a_dry_run_needs_the_name(
    open_console: OpenConsole, console: FixtureConsole
) -> None:
    page = open_console().go("commands/clients%20remove")
    page.get_by_label("--client", exact=True).fill("web")
    expect(page.get_by_role("button", name="Dry run")).to_have_count(0)
    expect(run_button(page)).to_be_disabled()
    page.get_by_label("Name of the stack").fill(sample_messages.STACK)
    run_button(page).click()
    expect(page.locator(".run .state")).to_have_text("done")
    assert [post["confirmation"] for post in console.posts] == [sample_messages.STACK]


def test_a_refused_command_says_why(open_console: OpenConsole, console: FixtureConsole) -> None:
    opened = open_console()
    page = opened.go("commands/verify")
    console.failures["/api/commands/verify"] = (409, Problem("A verification runs.", "Wait until it ends."))
    run_button(page).click()
    expect(page.get_by_role("alert")).to_contain_text("A verification runs.")
    expect(page.locator(".run .state")).to_have_text("not started")
    opened.forget_problems("409")


def run_button(page: Page) -> Locator:
    return page.get_by_role("button", name="Run", exact=True)
