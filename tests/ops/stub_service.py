"""A stub of the service over HTTP, whose answers a test sets, and a subject that verifies it."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, TypeVar

from ops.service import Service
from ops.verify.subject import Subject

Response = tuple[int, dict[str, str], Any]
Service_ = TypeVar("Service_", bound="StubService")
CLOUDFRONT = {"via": "1.1 edge (CloudFront)"}


class StubService(ThreadingHTTPServer):
    """Answers `METHOD /path` as `responses` says, everything else with 404. `requests` has what was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.responses: dict[str, Response] = {}
        self.requests: list[tuple[str, Any]] = []
        self.keys: list[str | None] = []  # the header x-api-key of each request

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def answer(self, request: str) -> Response | None:
        """The answer to a request; None for 404."""
        return self.responses.get(request)

    def respond(self, request: str, status: int, body: Any = None, **headers: str) -> None:
        """Set the answer to a request. A name of a header is written with underscores."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.responses[request] = (status, {**CLOUDFRONT, **named}, body)


class _Handler(BaseHTTPRequestHandler):
    server: StubService
    protocol_version = "HTTP/1.1"
    not_found: ClassVar[Response] = (404, CLOUDFRONT, {"detail": "There is nothing at this path."})

    def _answer(self) -> None:
        length = int(self.headers.get("content-length", 0))
        sent = json.loads(self.rfile.read(length)) if length else None
        request = f"{self.command} {self.path.partition('?')[0]}"
        self.server.requests.append((request, sent))
        self.server.keys.append(self.headers.get("x-api-key"))
        conditional = f"{request} if-none-match"
        if self.headers.get("if-none-match") and conditional in self.server.responses:
            request = conditional
        status, headers, body = self.server.answer(request) or self.not_found
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _answer  # noqa: N815  the names are the library's

    def log_message(self, *_: Any) -> None:
        """Print nothing."""


class StubStackOfService:
    """The part of `ops.aws.Stack` that a subject needs besides the service."""

    def __init__(self, url: str) -> None:
        self.service_url = url
        self.parameters: dict[str, str] = {}


class ServiceSubject(Subject):
    """A subject whose client has no token: the stub asks for none."""

    def client(self) -> Service:
        return self.public()


@contextmanager
def start_stub_service(service: Service_) -> Iterator[Service_]:
    """Serve until the end of the block."""
    thread = threading.Thread(target=service.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        service.shutdown()
        service.server_close()
        thread.join()
