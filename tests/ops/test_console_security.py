"""The console's server lets in its own page only."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import webbrowser
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

import httpx
import pytest

from ops.console.messages import TOKEN_HEADER
from ops.console.serve import open_browser
from tests.ops.conftest import Sluice
from tests.ops.console_client import ConsoleClient
from tests.ops.stub_stack import STACK_NAME, StubStack

COMMAND = {"arguments": {}, "dry_run": True, "confirmation": ""}


@pytest.fixture
def sent(shared_console: ConsoleClient, deployed_stub: StubStack) -> Iterator[ConsoleClient]:
    """The console; afterwards, no function or workflow may have been reached."""
    deployed_stub.reset()
    yield shared_console
    assert deployed_stub.invocations == []


@pytest.mark.parametrize("path", ["/", "/main.js", "/api/stack"])
@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "[::1]:{port}", "localhost.evil.example:{port}", ""]
)
def test_another_host_gets_nothing(sent: ConsoleClient, path: str, host: str) -> None:
    """A name of an attacker that resolves to 127.0.0.1 (DNS rebinding)."""
    response = sent.get(path, headers={"host": host.format(port=sent.server.port)})
    assert response.status_code in {400, 403}


@pytest.mark.parametrize("headers", [
    {"origin": "https://evil.example"}, {"origin": "null"}, {"origin": "http://127.0.0.1:1"},
    {"origin": "https://127.0.0.1:{port}"}, {"origin": "http://localhost:{port}"},
    {"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"},
])  # fmt: skip
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_another_origin_gets_nothing(sent: ConsoleClient, method: str, headers: dict[str, str]) -> None:
    filled = {name: value.format(port=sent.server.port) for name, value in headers.items()}
    path = "/api/stack" if method == "GET" else "/api/commands/replay"
    own = {"origin": sent.origin} if method == "POST" else {}
    response = sent.request(method, path, headers={**own, **filled}, json=COMMAND if method == "POST" else None)
    assert response.status_code == 403
    assert response.json()["message"] == "Another page sent this request."


def test_no_answer_permits_another_origin(sent: ConsoleClient) -> None:
    preflight = sent.options(
        "/api/commands/replay",
        headers={"origin": "https://evil.example", "access-control-request-method": "POST"},
    )
    assert preflight.status_code == 403
    for response in (preflight, sent.get("/"), sent.get("/api/stack", headers={"origin": sent.origin})):
        assert not [name for name in response.headers if name.startswith("access-control-")]


@pytest.mark.parametrize("token", [None, "", "x", "{token}x"])
@pytest.mark.parametrize(
    "path",
    ["/api/stack", "/api/events", "/api/timeline", "/api/batches", "/api/batches/batches/x", "/api/rejected-writes",
     "/api/quarantine", "/api/executions", "/api/executions/replay/x", "/api/items/a/b", "/api/runs/x/events", "/api"],
)  # fmt: skip
def test_data_needs_the_token(sent: ConsoleClient, path: str, token: str | None) -> None:
    """Another user of the machine reaches the port, and gets the page, which has no data."""
    headers = {} if token is None else {TOKEN_HEADER: token.format(token=sent.server.token)}
    with httpx.Client(base_url=sent.origin, trust_env=False) as client:
        response = client.get(path, headers=headers)
        # The token in an address would be in logs: it does not count.
        assert client.get(f"{path}?token={sent.server.token}").status_code == 401
    assert response.status_code == 401
    assert sent.server.token not in response.text


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({TOKEN_HEADER: "x"}, 401),
        ({"origin": ""}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": "application/x-www-form-urlencoded"}, 415),
        ({"content-type": "application/json; charset=x", "x-bytes": "70000"}, 413),
    ],
)
def test_a_command_needs_token_origin_and_type(sent: ConsoleClient, headers: dict[str, str], status: int) -> None:
    own = {"origin": sent.origin, "content-type": "application/json"}
    content = json.dumps(COMMAND).ljust(int(headers.get("x-bytes", "0")))
    response = sent.post("/api/commands/replay", content=content, headers={**own, **headers})
    assert response.status_code == status


def test_a_command_without_an_origin_is_refused(sent: ConsoleClient) -> None:
    response = sent.post("/api/commands/replay", json=COMMAND)
    assert (response.status_code, response.json()["message"]) == (
        403, "The request does not say which page sent it (Origin).",
    )  # fmt: skip


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_other_methods_change_nothing(sent: ConsoleClient, method: str) -> None:
    response = sent.request(method, "/api/commands/replay", json=COMMAND, headers={"origin": sent.origin})
    assert response.status_code == 405


@pytest.mark.parametrize("path", ["/", "/main.js", "/nope", "/api/stack", "/api/nope", "/api/timeline?minutes=0"])
def test_no_answer_runs_script_of_others(sent: ConsoleClient, path: str) -> None:
    headers = sent.get(path).headers
    policy = {part.split()[0]: part.split()[1:] for part in headers["content-security-policy"].split("; ")}
    assert policy["default-src"] == policy["trusted-types"] == ["'none'"]
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == ["'none'"]
    assert policy["script-src"] == policy["style-src"] == policy["img-src"] == policy["connect-src"] == ["'self'"]
    assert policy["require-trusted-types-for"] == ["'script'"]
    assert "unsafe" not in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
    assert (headers["cross-origin-resource-policy"], headers["cross-origin-opener-policy"]) == ("same-origin",) * 2


def test_text_of_clients_is_json_and_no_markup(sent: ConsoleClient) -> None:
    response = sent.get("/api/executions", params={"workflow": "<script>é\u2028"})
    assert response.headers["content-type"] == "application/json"
    assert response.content.isascii()


@pytest.mark.parametrize(
    "path", ["/../messages.py", "/%2e%2e/messages.py", "/..%2fmessages.py", "//etc/passwd", "/views/"]
)
def test_only_files_of_the_page_are_served(sent: ConsoleClient, path: str) -> None:
    with socket.create_connection(("127.0.0.1", sent.server.port)) as connection:
        # A client library would resolve the dots.
        host = f"127.0.0.1:{sent.server.port}"
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    assert answer.split(b" ", 2)[1] == b"404"


def test_the_server_listens_on_loopback_only(sent: ConsoleClient) -> None:
    assert sent.server._listener.getsockname()[0] == "127.0.0.1"
    assert len(sent.server.token) >= 43


def test_the_browser_s_command_line_has_no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[tuple[str, int, str]] = []

    def open_(address: str) -> bool:
        page = Path(url2pathname(unquote(urlsplit(address).path)))
        opened.append((address, page.stat().st_mode & 0o777, page.read_text()))
        return True

    monkeypatch.setattr(webbrowser, "open", open_)
    with ExitStack() as cleanup:
        open_browser("http://127.0.0.1:1/#token=secret", cleanup)
        [(address, mode, text)] = opened
        folder = Path(url2pathname(unquote(urlsplit(address).path))).parent
        assert "secret" not in address
        assert (mode, folder.stat().st_mode & 0o777) == (0o600, 0o700)
        assert 'url=http://127.0.0.1:1/#token=secret"' in text
    assert not folder.exists()


def test_a_port_that_is_taken_is_one_sentence(sluice: Sluice, stub_stack: StubStack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        error = sluice("console", "--no-browser", "--port", str(port)).usage_error()
    assert error == f"Port {port} cannot be used: Address already in use. Give --port N, or --port 0 for any free port."
    assert sluice("console", "--port", "99999").usage_error().startswith("99999 is not a port.")


def test_a_missing_stack_is_one_sentence(sluice: Sluice, stub_stack: StubStack) -> None:
    error = sluice("console", "--stack-name", "nope", "--port", "0").usage_error()
    assert error == "There is no stack nope in us-east-1. Check --stack-name and --region."


def test_missing_credentials_are_one_sentence(bare_sluice: Sluice) -> None:
    words = ("--stack-name", "s", "--region", "eu-west-1", "console", "--port", "0")
    assert bare_sluice(*words).usage_error() == "AWS finds no usable credentials. Sign in, or give --profile."


def test_the_other_commands_do_not_load_the_web_server() -> None:
    code = "import sys, ops.cli; print(sorted({'uvicorn', 'starlette', 'anyio'} & {*sys.modules}))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"


@contextmanager
def start_console(**environment: str) -> Iterator[tuple["subprocess.Popen[str]", httpx.Response]]:
    """Start the command, and open a page that reads events. Afterwards, the command must end without a traceback."""
    command = [sys.executable, "-m", "ops", "--stack-name", STACK_NAME, "console", "--no-browser", "--port", "0"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        match = re.fullmatch(rf"The console of {STACK_NAME} is at (http://127\.0\.0\.1:\d+)/#token=(\S+)\n", line)
        assert match, line
        try:
            with (
                httpx.Client(base_url=match[1], headers={TOKEN_HEADER: match[2]}, timeout=30, trust_env=False) as page,
                page.stream("GET", "/api/events") as response,
            ):
                yield process, response
                assert process.wait(15) == 0
        finally:
            process.kill()
        assert "Traceback" not in process.stderr.read()


def test_ctrl_c_ends_the_console_with_an_open_page(sluice: Sluice, stub_stack: StubStack) -> None:
    """A page that reads events does not let the server wait."""
    with start_console() as (process, response):
        events = response.iter_lines()
        assert next(events) == "event: snapshot"
        process.send_signal(signal.SIGINT)
        # The stream ends whole; one that is cut would be an error here.
        assert "" in list(events)


def test_ctrl_c_does_not_wait_for_an_answer_of_aws(sluice: Sluice, stub_stack: StubStack) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        start_console(AWS_ENDPOINT_URL_LAMBDA=f"http://127.0.0.1:{silent.getsockname()[1]}") as (process, _),
    ):
        silent.settimeout(15)
        connection, _ = silent.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            assert process.wait(15) == 0
