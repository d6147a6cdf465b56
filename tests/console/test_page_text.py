"""Text of clients never becomes markup or script in the console's page."""

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from ops.console.application import PAGE
from ops.console.messages import to_document
from tests.console import sample_messages
from tests.console.fixture_console import FixtureConsole
from tests.console.open_page import OpenPage
from tests.console.test_page import VIEWS

PAYLOAD = (
    "<img src=x onerror=window.ran=1></script><script>window.ran=1</script><svg onload=window.ran=1>\"'`${window.ran=1}"
)
ADDRESS = "javascript:window.ran=1"
# These decide how the page reads a message; clients choose none of them.
OWN = {"at", "state", "status", "from", "to", "token", "kind", "since"}
SINKS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|\bFunction\(|createContextualFragment|DOMParser|srcdoc|"
    r"setHTML|parseHTML|javascript:|setTimeout\([\"'`]|\.cssText"
)


@pytest.mark.parametrize("policy", ["with its policy", "without a policy"])
def test_script_in_every_text_does_not_run(
    open_console: Callable[..., OpenPage], console: FixtureConsole, policy: str
) -> None:
    """Without a policy the browser would run what the page let through; with it the browser would report it."""
    console.has_policy = policy == "with its policy"
    console.documents = {path: spoil(document) for path, document in console.documents.items()}
    console.documents["/api/stack"]["commands"][1] |= {"name": "rebuild"}
    console.documents["/api/stack"]["commands"][0] |= {"name": "replay"}
    snapshot = spoil(to_document(sample_messages.create_snapshot(is_outage=True)))
    snapshot["alarms"][0]["runbook"] = ADDRESS
    console.publish(snapshot)
    console.output = [PAYLOAD]
    opened = open_console()
    for view in VIEWS:
        page = opened.go(view)
        if view in {"overview", "rejected-writes", "quarantine", "executions", "item/airports/LPPT", "commands"}:
            assert "<img src=x onerror" in page.locator("main").inner_text(), view
        for details in page.locator("details").all():
            details.evaluate("node => { node.open = true }")
        assert (
            page.locator("main :is(img, script, iframe, object, embed), main svg svg, a[href^=javascript]").count() == 0
        )
    page.get_by_role("button", name="Dry run").click()
    page.get_by_role("log").get_by_text("<img src=x").wait_for()
    assert page.evaluate("window.ran") is None


def spoil(message: Any, name: str = "") -> Any:
    """The message with the payload in place of every text that is not the page's own."""
    if isinstance(message, dict):
        return {key: spoil(value, key) for key, value in copy.deepcopy(message).items()}
    if isinstance(message, list):
        return [spoil(member, name) for member in message]
    if isinstance(message, str) and name not in OWN and not re.match(r"\d{4}-", message):
        return PAYLOAD
    return message


def test_the_sources_use_nothing_that_turns_text_into_markup_or_loads_from_elsewhere() -> None:
    sources = [path for path in PAGE.rglob("*") if path.suffix in {".js", ".html", ".css"}]
    assert len(sources) > 15
    for path in sources:
        text = path.read_text()
        assert not SINKS.search(text), path
        addresses = set(re.findall(r"https?://[^\s\"'`]+", text)) - {"http://www.w3.org/2000/svg"}
        assert not addresses, path
        imports = re.findall(r"""(?:from|import)\s*\(?["']([^"']+)""", text)
        assert all(name.startswith(("./", "../")) for name in imports), path
    page = (PAGE / "index.html").read_text()
    assert not re.search(r"\sstyle=|\son\w+=|<style|<script(?! type=\"module\" src=)", page)
