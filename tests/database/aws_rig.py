"""Secrets Manager and CloudFormation's answer address, as one small local server: neither is the project's own."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Aws(ThreadingHTTPServer):
    """Secrets by ARN to read, and the answers that arrived; the server first refuses `refusing` answers with a 503."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.secrets: dict[str, str] = {}
        self.answers: list[dict[str, Any]] = []
        self.answer_headers: list[dict[str, str]] = []
        self.refusing = 0
        self.refusal = 503

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Aws

    def do_POST(self) -> None:
        name = json.loads(self._body())["SecretId"]
        secret = self.server.secrets.get(name)
        if secret is None:
            self._answer(400, {"__type": "ResourceNotFoundException", "message": "no such secret"})
        else:
            self._answer(200, {"ARN": name, "SecretString": secret})

    def do_PUT(self) -> None:
        body = self._body()
        if self.server.refusing:
            self.server.refusing -= 1
            self._answer(self.server.refusal, {})
            return
        self.server.answers.append(json.loads(body))
        self.server.answer_headers.append({name.lower(): value for name, value in self.headers.items()})
        self._answer(200, {})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"]))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: Any) -> None: ...


@contextmanager
def aws() -> Iterator[Aws]:
    server = Aws()
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
