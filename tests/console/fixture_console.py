"""A console server with sample answers, for the tests of the page. Its answers and events can be changed at any time."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any
from urllib.parse import unquote, urlsplit

from testkit.loopback_server import serve_on_loopback
from tests.console import sample_messages

PAGE = Path(__file__).resolve().parents[2] / "ops/console/page"
TYPES = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)


class FixtureConsole:
    """The answers of the server, and what it received."""

    def __init__(self) -> None:
        self.url = ""
        self.documents = sample_messages.documents()
        self.stack = sample_messages.stack_message("token-1")
        self.snapshot = sample_messages.snapshot()
        self.failures: dict[str, tuple[int, dict[str, str]]] = {}
        self.posts: list[dict[str, Any]] = []
        self.output = ["dry run: 2 batches would be loaded", "nothing was changed"]
        self.exit_code = 0
        self._listeners: set[SimpleQueue[dict[str, Any] | None]] = set()
        self._lock = threading.Lock()
        self.is_lost = False
        self.has_policy = True

    def publish(self, snapshot: dict[str, Any]) -> None:
        """Send a snapshot to every listener, now and when it connects."""
        with self._lock:
            self.snapshot = snapshot
            for listener in self._listeners:
                listener.put(snapshot)

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

    def answer(self, path: str) -> tuple[int, Any]:
        if path in self.failures:
            return self.failures[path]
        if path == "/api/stack":
            return 200, self.stack
        if path in self.documents:
            return 200, self.documents[path]
        return 404, {"error": f"There is no {path}.", "hint": ""}


def create_handler(console: FixtureConsole) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def handle(self) -> None:
            # The browser closes its event streams when it leaves the page.
            with suppress(BrokenPipeError, ConnectionResetError):
                super().handle()

        def do_GET(self) -> None:
            path = unquote(urlsplit(self.path).path)
            if path == "/api/events":
                self._send_events()
            elif path.startswith("/api/runs/"):
                self._send_run()
            elif path.startswith("/api/"):
                code, document = console.answer(path)
                self._send(code, "application/json", json.dumps(document).encode())
            else:
                self._send_file(path)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            token = self.headers.get("Sluice-Console-Token")
            if token != console.stack["token"]:
                self._send(403, "application/json", b'{"error": "The token is wrong."}')
                return
            console.posts.append({"command": unquote(self.path.removeprefix("/api/commands/")), **body})
            self._send(200, "application/json", b'{"run": "run-1"}')

        def _send_file(self, path: str) -> None:
            file = PAGE / ("index.html" if path == "/" else path.lstrip("/"))
            if not file.is_file():
                self._send(404, "text/plain", b"")
                return
            self._send(200, TYPES[file.suffix], file.read_bytes())

        def _send_events(self) -> None:
            if console.is_lost:
                self._send(503, "text/plain", b"")
                return
            self._begin_events()
            with console.listen() as listener:
                while (snapshot := listener.get()) is not None:
                    self._send_event("snapshot", snapshot)

        def _send_run(self) -> None:
            self._begin_events()
            for line in console.output:
                self._send_event("line", {"text": line})
            self._send_event("end", {"exit_code": console.exit_code, "report": {"planned": 2}})

        def _begin_events(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Cache-Control", "no-store")
            self.end_headers()

        def _send_event(self, name: str, document: Any) -> None:
            self.wfile.write(f"event: {name}\ndata: {json.dumps(document)}\n\n".encode())
            self.wfile.flush()

        def _send(self, code: int, type_: str, body: bytes) -> None:
            self.send_response(code)
            self.send_header("Content-Type", type_)
            self.send_header("Content-Length", str(len(body)))
            if console.has_policy:
                self.send_header("Content-Security-Policy", POLICY)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Log nothing."""

    return Handler


@contextmanager
def run_fixture_console() -> Iterator[FixtureConsole]:
    """Serve the page with sample answers on a free port."""
    console = FixtureConsole()
    with serve_on_loopback(create_handler(console)) as url:
        console.url = url
        yield console
        console.lose_connections()
