"""A stub of AWS on loopback, for first calls: it returns a secret and accepts every record."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from testkit.loopback_server import serve_on_loopback

RESPONSES = {
    "GetSecretValue": {"SecretString": json.dumps({"username": "reader", "password": "word"})},
    "PutRecord": {"RecordId": "1"},
}


class StubHandler(BaseHTTPRequestHandler):
    """Responds by the name of the operation."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        content = json.dumps(RESPONSES[self.headers["X-Amz-Target"].split(".")[-1]]).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
        """Log nothing."""


@contextmanager
def serve_aws_stub() -> Iterator[str]:
    """Run the stub, and yield its URL."""
    with serve_on_loopback(StubHandler) as url:
        yield url
