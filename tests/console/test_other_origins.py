"""Pages of other origins, and other names of this machine, can neither read nor drive the console.

The application and its guard are those of `sluice console`; what it reads comes from samples.
"""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from ops.console.application import build_application
from ops.console.guard import Guard
from ops.console.messages import CommandRequest, Snapshot, StackDescription
from ops.console.serve import listen
from testkit.loopback_server import serve_on_loopback
from tests.console import sample_messages

TOKEN = "the-token"
_POST = "method: 'POST', body: JSON.stringify({arguments: {}, dry_run: false})"
# Everything that a page may try, without the token or as if it had it. Each returns what it could read, or throws.
ATTEMPTS = {
    "fetch": "(await fetch(address + '/api/stack')).text()",
    "fetch of the page": "(await fetch(address + '/')).text()",
    "fetch with the token": "(await fetch(address + '/api/stack', {headers: {'Sluice-Console-Token': token}})).text()",
    "command with the token": (
        "(await fetch(address + '/api/commands/replay', {headers: {'Sluice-Console-Token': token, "
        f"'Content-Type': 'application/json'}}, {_POST}}})).text()"
    ),
    "command as a simple request": (
        f"(await fetch(address + '/api/commands/replay', {{mode: 'no-cors', {_POST}}})).text()"
    ),
    "events": """new Promise((resolve, reject) => {
        const source = new EventSource(address + '/api/events');
        source.addEventListener('snapshot', event => resolve(event.data));
        source.onerror = () => reject('refused');
    })""",
    "script": """new Promise((resolve, reject) => {
        const script = document.createElement('script');
        script.src = address + '/server.js';
        script.onload = () => resolve('script');
        script.onerror = () => reject('refused');
        document.head.append(script);
    })""",
    "frame": """new Promise((resolve, reject) => {
        const frame = document.createElement('iframe');
        frame.src = address + '/';
        frame.onload = () => { try { resolve(frame.contentDocument.body.innerHTML) } catch (error) { reject(error) } };
        document.body.append(frame);
    })""",
    "window": """new Promise((resolve, reject) => {
        const other = window.open(address + '/');
        setTimeout(() => { try { resolve(other.document.body.innerHTML) } catch (error) { reject(error) } }, 300);
    })""",
}


class RecordedSession:
    """The session of a console whose stack is a sample. `used` is what got past the guard."""

    def __init__(self) -> None:
        self.used: list[str] = []
        self.poller = self.runs = self

    def describe_stack(self) -> StackDescription:
        self.used.append("stack")
        return sample_messages.STACK_DESCRIPTION

    async def subscribe(self) -> Any:
        self.used.append("events")
        snapshot: Snapshot = sample_messages.create_snapshot()
        yield snapshot

    def start(self, name: str, request: CommandRequest) -> str:
        self.used.append(name)
        return "run-1"


class EmptyPage(BaseHTTPRequestHandler):
    """A page of another origin."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>Another page</title><body>")

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@pytest.fixture(scope="module")
def session() -> RecordedSession:
    return RecordedSession()


@pytest.fixture(scope="module")
def port(session: RecordedSession) -> Iterator[int]:
    """The port of the console."""
    listener = listen(0)
    number = int(listener.getsockname()[1])
    guarded = Guard(build_application(session), TOKEN, number)  # type: ignore[arg-type]
    server = uvicorn.Server(uvicorn.Config(guarded, log_level="critical", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield number
    server.should_exit = True
    thread.join()


@pytest.fixture
def other(browser: Browser) -> Iterator[Page]:
    """A page of another origin on the same machine."""
    with serve_on_loopback(EmptyPage) as url, browser.new_context() as context:
        page = context.new_page()
        page.goto(url)
        yield page


@pytest.fixture(autouse=True)
def _start_unused(session: RecordedSession) -> None:
    session.used.clear()


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_another_origin_reads_nothing_and_drives_nothing(
    other: Page, session: RecordedSession, port: int, host: str
) -> None:
    results = {
        name: other.evaluate(
            f"""async ([address, token]) => {{
                try {{ return ['read', await {attempt}] }} catch (error) {{ return ['refused', ''] }}
            }}""",
            [f"http://{host}:{port}", TOKEN],
        )
        for name, attempt in ATTEMPTS.items()
    }
    # A page may send a simple request, but reads an empty answer.
    assert {name for name, (outcome, text) in results.items() if outcome == "read" and text} == set()
    assert session.used == []


def test_a_form_of_another_origin_is_refused(other: Page, session: RecordedSession, port: int) -> None:
    with other.expect_navigation() as navigation:
        other.evaluate(
            "address => { const form = document.createElement('form'); form.method = 'POST'; form.action = address; "
            "form.enctype = 'text/plain'; const field = document.createElement('input'); "
            'field.name = \'{"arguments": {}, "dry_run": false, "x": "\'; field.value = \'"}\'; '
            "form.append(field); document.body.append(form); form.submit() }",
            f"http://127.0.0.1:{port}/api/commands/replay",
        )
    assert navigation.value
    assert navigation.value.status == 403
    assert session.used == []


def test_a_name_that_resolves_to_this_machine_is_refused(browser: Browser, session: RecordedSession, port: int) -> None:
    """A page of rebound.localhost has the console's address, as after a DNS rebinding, and so is of the same origin."""
    with browser.new_context() as context:
        page = context.new_page()
        response = page.goto(f"http://rebound.localhost:{port}/")
        assert response
        assert response.status == 403
        answer = page.evaluate(
            f"fetch('/api/stack', {{headers: {{'Sluice-Console-Token': '{TOKEN}'}}}}).then(answer => answer.status)"
        )
    assert answer == 403
    assert session.used == []


def test_the_consoles_own_page_is_let_in(browser: Browser, session: RecordedSession, port: int) -> None:
    """The same requests as those of the other origins, so that their refusal means something."""
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://127.0.0.1:{port}/#token={TOKEN}")
        page.wait_for_selector("[data-stage=ledger][data-state=ok]")
        without_token = page.evaluate("fetch('/api/stack').then(answer => answer.status)")
        page.evaluate("location.hash = '#/commands/verify'")
        page.get_by_role("button", name="Run", exact=True).click()
        page.wait_for_selector(".run .state")
    assert without_token == 401
    assert {"stack", "events", "verify"} <= set(session.used)
