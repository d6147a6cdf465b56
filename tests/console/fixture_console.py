"""A console server with sample messages, for the tests of the page. A test can change them at any time."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit

from ops.console.application import PAGE
from ops.console.guard import CONTENT_POLICY
from ops.console.messages import (
    TOKEN_HEADER,
    Problem,
    Progress,
    RunEnd,
    RunLine,
    Snapshot,
    StartedRun,
    to_document,
)
from testkit.loopback_server import serve_on_loopback
from tests.console import sample_messages

TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}


class FixtureConsole:
    """The messages of the server, and the commands that it received."""

    def __init__(self) -> None:
        self.url = ""
        self.token = "token-1"
        self.documents = {path: to_document(message) for path, message in sample_messages.create_messages().items()}
        self.snapshot = to_document(sample_messages.create_snapshot())
        self.failures: dict[str, tuple[int, Problem]] = {}
        self.posts: list[dict[str, Any]] = []
        self.output = ["dry run: 2 batches would be loaded", "nothing was changed"]
        self.exit_code = 0
        self.is_lost = False
        self.has_policy = True
        self._listeners: set[SimpleQueue[dict[str, Any] | None]] = set()
        self._lock = threading.Lock()

    def publish(self, snapshot: Snapshot | dict[str, Any]) -> None:
        """Send a snapshot to every listener, now and when it connects."""
        with self._lock:
            self.snapshot = to_document(snapshot)
            for listener in self._listeners:
                listener.put(self.snapshot)

    def lose_connections(self) -> None:
        """End all event streams and refuse new ones until `accept_connections`."""
        with self._lock:
            self.is_lost = True
            for listener in self._listeners:
                listener.put(None)

    def accept_connections(self) -> None:
        self.is_lost = False

    @contextmanager
    def listen(self) -> Iterator["SimpleQueue[dict[str, Any] | None]"]:
        listener: SimpleQueue[dict[str, Any] | None] = SimpleQueue()
        with self._lock:
            self._listeners.add(listener)
            listener.put(self.snapshot)
        try:
            yield listener
        finally:
            with self._lock:
                self._listeners.discard(listener)


class ConsoleHandler(BaseHTTPRequestHandler):
    """Serves the page and the messages of its console."""

    console: FixtureConsole

    def handle(self) -> None:
        # The browser closes its event streams when it leaves the page.
        with suppress(BrokenPipeError, ConnectionResetError):
            super().handle()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        if not path.startswith("/api/"):
            self._send_file(path)
        elif self._is_allowed():
            self._send_message(path)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._is_allowed():
            command = unquote(self.path.removeprefix("/api/commands/"))
            if (failure := self.console.failures.get(f"/api/commands/{command}")) is not None:
                self._send_document(*failure)
                return
            self.console.posts.append({"command": command, **body})
            self._send_document(202, StartedRun("run-1"))

    def _is_allowed(self) -> bool:
        if self.headers.get(TOKEN_HEADER) == self.console.token:
            return True
        self._send_document(401, Problem("The token is wrong."))
        return False

    def _send_message(self, path: str) -> None:
        if path in self.console.failures:
            self._send_document(*self.console.failures[path])
        elif path == "/api/events":
            self._send_snapshots()
        elif path.startswith("/api/runs/"):
            self._send_run()
        elif path not in self.console.documents:
            self._send_document(404, Problem(f"There is no {path}."))
        elif self.headers.get("Accept") == "text/event-stream":
            self._begin_events()
            self._send_event("progress", Progress(scanned=10, total=60, matches=1))
            self._send_event("history", self.console.documents[path])
        else:
            self._send_document(200, self.console.documents[path])

    def _send_file(self, path: str) -> None:
        file = PAGE / ("index.html" if path == "/" else path.lstrip("/"))
        if file.is_file():
            self._send(200, TYPES[file.suffix], file.read_bytes())
        else:
            self._send(404, "text/plain", b"")

    def _send_snapshots(self) -> None:
        if self.console.is_lost:
            self._send_document(503, Problem("The console ends."))
            return
        self._begin_events()
        with self.console.listen() as listener:
            while (snapshot := listener.get()) is not None:
                self._send_event("snapshot", snapshot)

    def _send_run(self) -> None:
        self._begin_events()
        for line in self.console.output:
            self._send_event("line", RunLine(line))
        self._send_event("end", RunEnd(self.console.exit_code, {"planned": 2}))

    def _begin_events(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Cache-Control", "no-store")
        self.end_headers()

    def _send_event(self, name: str, message: Any) -> None:
        self.wfile.write(f": ping\r\n\r\nevent: {name}\r\ndata: {json.dumps(to_document(message))}\r\n\r\n".encode())
        self.wfile.flush()

    def _send_document(self, code: int, message: Any) -> None:
        self._send(code, "application/json", json.dumps(to_document(message)).encode())

    def _send(self, code: int, type_: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", type_)
        self.send_header("Content-Length", str(len(body)))
        if self.console.has_policy:
            self.send_header("Content-Security-Policy", CONTENT_POLICY)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Log nothing."""


@contextmanager
def run_fixture_console() -> Iterator[FixtureConsole]:
    """Serve the page with sample messages on a free port."""
    console = FixtureConsole()
    handler = type("Handler", (ConsoleHandler,), {"console": console})
    with serve_on_loopback(handler) as url:
        console.url = url
        yield console
        console.lose_connections()
