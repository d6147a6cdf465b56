"""AWS on loopback: a server that speaks the JSON protocol, counts what it is asked, and answers what a test wants."""

import base64
import json
import ssl
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

HANGING_SECONDS = 1.0


@dataclass(frozen=True)
class ReceivedRequest:
    """One request: its operation, and its body as JSON (S3's has none: its headers stand there)."""

    operation: str
    body: dict[str, Any]
    trace: str | None = None

    @property
    def records(self) -> list[bytes]:
        """The records of a put, decoded."""
        records = self.body["Records"] if "Records" in self.body else [self.body["Record"]]
        return [base64.b64decode(record["Data"]) for record in records]


@dataclass(frozen=True)
class StubResponse:
    """An answer: JSON or text with a status. Status 0 closes the connection, -1 leaves the client waiting."""

    status: int
    body: dict[str, Any] | str


Answers = Callable[[ReceivedRequest], StubResponse]


def error(code: str, status: int = 400) -> Answers:
    """An AWS error."""
    return lambda _: StubResponse(status, {"__type": code, "message": f"{code}, says the service"})


def accept_records(request: ReceivedRequest, failed: tuple[int, ...] = ()) -> StubResponse:
    """Firehose's 200, with some of a batch's entries failed."""
    if request.operation == "PutRecord":
        return StubResponse(200, {"RecordId": "1"})
    entries = [
        {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "slow down"} if at in failed else {"RecordId": "1"}
        for at in range(len(request.body["Records"]))
    ]
    return StubResponse(200, {"FailedPutCount": len(failed), "RequestResponses": entries})


def partly(*failed: int) -> Answers:
    """Firehose's 200 to a batch of which some entries, by position, were not taken."""
    return lambda request: accept_records(request, failed)


class Loopback:
    """The server. `asked` is what came; `answers` are taken one by one, after them `otherwise` holds."""

    def __init__(self, certificate: Path | None = None) -> None:
        """With a certificate it speaks TLS, under the name localhost."""
        self.requests: list[ReceivedRequest] = []
        self.answers: deque[Answers] = deque()
        self.otherwise: Answers = accept_records
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
            self.url = f"https://localhost:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _at: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def reset(self) -> None:
        self.requests.clear()
        self.answers.clear()
        self.otherwise = accept_records

    def answer(self, request: ReceivedRequest) -> StubResponse:
        self.requests.append(request)
        return (self.answers.popleft() if self.answers else self.otherwise)(request)


def _handler(loopback: Loopback) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # an answer goes out as one: else the two ends wait for each other

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(
                ReceivedRequest(
                    self.headers["X-Amz-Target"].split(".")[-1], json.loads(body), self.headers["X-Amzn-Trace-Id"]
                )
            )

        def do_PUT(self) -> None:
            self._answer(ReceivedRequest(f"PUT {self.path}", dict(self.headers)))

        def _answer(self, request: ReceivedRequest) -> None:
            answered = loopback.answer(request)
            if answered.status <= 0:
                if answered.status < 0:
                    loopback.closing.wait(HANGING_SECONDS)
                self.close_connection = True
                return
            content = (answered.body if isinstance(answered.body, str) else json.dumps(answered.body)).encode()
            self.send_response(answered.status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class's name
            """A test's output is the test's own."""

    return Handler
