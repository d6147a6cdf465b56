"""The server of the edge and its client of the emulator: what passes between the two is what a viewer sent."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import uvicorn

from local.edge import server
from local.edge.api_stage import EmulatorClient, OriginUnreachable
from local.edge.http_messages import Request, Response
from local.edge.server import RequestHandler

ORIGIN_RESPONSE = (
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nX-Note: \xc3\xa9\r\nConnection: keep-alive\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
)


@contextmanager
def serve(handler: RequestHandler) -> Iterator[socket.socket]:
    """Serve one port as the edge does, and yield a connection to it."""
    listener = server._open_listener(0)
    port = listener.getsockname()[1]
    running = uvicorn.Server(server._build_config(server.build_asgi_app({port: handler})))
    thread = threading.Thread(target=running.run, args=([listener],))
    thread.start()
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            yield connection
    finally:
        running.should_exit = True
        thread.join()


def exchange(connection: socket.socket, sent: bytes, end: bytes) -> bytes:
    """Send the bytes and return what comes back, up to `end`."""
    connection.sendall(sent)
    received = b""
    while not received.endswith(end):
        part = connection.recv(65_536)
        assert part, received
        received += part
    return received


def test_the_server_passes_a_request_as_it_was_sent() -> None:
    requests: list[Request] = []

    async def handle(request: Request) -> Response:
        requests.append(request)
        return Response(200, [("x-note", "\xe9")], b"done")

    sent = (
        b"PUT /v1/a%2fb/%C3%A9?b=1%202&a=+ HTTP/1.1\r\nHost: edge\r\nX-Note: \xe9\r\nX-Forwarded-For: 192.0.2.1\r\n"
        b"Expect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    )
    with serve(handle) as connection:
        assert exchange(connection, sent, b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        received = exchange(connection, b"abc", b"done")
    [request] = requests
    assert received == b"HTTP/1.1 200 OK\r\nx-note: \xe9\r\ncontent-length: 4\r\n\r\ndone"
    assert (request.method, request.target, request.body) == ("PUT", "/v1/a%2fb/%C3%A9?b=1%202&a=+", b"abc")
    assert request.get_header("x-note") == "\xe9"
    # The rate limit is by this address, which a viewer cannot choose.
    assert request.client_address == "127.0.0.1"


def test_the_server_refuses_what_is_too_large_or_no_request() -> None:
    async def handle(_: Request) -> Response:
        return Response(204)

    size = server.MAX_BODY_BYTES + 1
    sent = b"POST / HTTP/1.1\r\nHost: edge\r\nContent-Length: %d\r\n\r\n" % size
    with serve(handle) as connection:
        assert exchange(connection, b"DELETE / HTTP/1.1\r\nHost: edge\r\n\r\n", b"\r\n\r\n").startswith(b"HTTP/1.1 204")
        assert exchange(connection, sent + b"a" * size, b"\r\n\r\n").startswith(b"HTTP/1.1 413")
    with serve(handle) as connection:
        assert exchange(connection, b"GET /\x00 HTTP/1.1\r\nHost: edge\r\n\r\n", b"received.").startswith(
            b"HTTP/1.1 400"
        )


def test_a_connection_sends_small_parts_at_once() -> None:
    """asyncio disables Nagle's algorithm only for sockets of this protocol; with it, a response can take 40 ms."""
    with server._open_listener(0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP


class Origin:
    """Responds to each request after a delay, and records the bytes that it got."""

    def __init__(self, response: bytes = ORIGIN_RESPONSE, delay_seconds: float = 0) -> None:
        self._response, self._delay_seconds = response, delay_seconds
        self.received = b""

    def send(self, request: Request, timeout_seconds: float = 5) -> Response:
        """Send a request through the edge's client."""
        return asyncio.run(self._serve_and_send(request, timeout_seconds))

    async def _serve_and_send(self, request: Request, timeout_seconds: float) -> Response:
        listener = await asyncio.start_server(self._respond, "127.0.0.1", 0)
        client = EmulatorClient(f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}")
        try:
            return await client.send(request, f"/_aws/execute-api/a{request.path}", timeout_seconds)
        finally:
            await client.close()
            listener.close()

    async def _respond(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.received = await reader.readuntil(b"\r\n\r\n")
        self.received += await reader.read(3) if b"content-length: 3" in self.received.lower() else b""
        await asyncio.sleep(self._delay_seconds)
        writer.write(self._response)
        writer.close()


def test_the_client_forwards_target_headers_and_body_and_adds_nothing() -> None:
    origin = Origin()
    headers = [("host", "edge"), ("x-note", "\xc3\xa9"), ("x-other", "\xe9"), ("cookie", "a=1"), ("cookie", "b=2")]
    hop_by_hop = [("connection", "close"), ("expect", "100-continue"), ("content-length", "3"), ("te", "trailers")]
    request = Request("PUT", "/v1/a%2fb/%C3%A9", "b=1%202&a=+'", headers + hop_by_hop, b"abc")
    response = origin.send(request)
    line, *received, end, body = origin.received.split(b"\r\n")
    assert line == b"PUT /_aws/execute-api/a/v1/a%2fb/%C3%A9?b=1%202&a=+' HTTP/1.1"
    names = [header.partition(b":")[0].lower() for header in received]
    assert sorted(names) == [b"content-length", b"cookie", b"cookie", b"host", b"x-note", b"x-other"]
    # The other is not UTF-8, and is sent as if it was Latin-1.
    assert {b"x-note: \xc3\xa9", b"x-other: \xc3\xa9"} <= set(received)
    assert (end, body) == (b"", b"abc")
    assert (response.status, response.body) == (200, b"abc")
    assert response.headers == [("content-encoding", "gzip"), ("x-note", "\xc3\xa9")]


@pytest.mark.parametrize(
    ("origin", "timed_out"),
    [
        (Origin(delay_seconds=1), True),
        (Origin(b""), False),
        (Origin(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), False),
        (Origin(b"no HTTP\r\n\r\n"), False),
    ],
    ids=["slow", "closed", "cut off", "no HTTP"],
)
def test_the_client_tells_a_timeout_from_a_failed_connection(origin: Origin, timed_out: bool) -> None:
    started = time.monotonic()
    with pytest.raises(OriginUnreachable) as failure:
        origin.send(Request("POST", "/"), timeout_seconds=0.2)
    assert failure.value.timed_out is timed_out
    assert time.monotonic() - started < 1
