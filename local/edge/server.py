"""The two listeners of the edge, as one ASGI application."""

import asyncio
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import uvicorn

from local.edge.edge import Edge
from local.edge.http_messages import Request, Response

# Above the 10 MB limit of API Gateway, which reports it itself.
MAX_BODY_BYTES = 11 * 1024 * 1024
BACKLOG = 512  # connections that wait to be accepted

RequestHandler = Callable[[Request], Awaitable[Response]]


def run_servers(edge: Edge, port: int, stage_port: int) -> None:
    """Serve the distribution on one port of 127.0.0.1 and the stage on another, until SIGTERM or SIGINT.

    Raises OSError if a port is in use.
    """
    handlers = {port: edge.handle_viewer_request, stage_port: edge.handle_stage_request}
    sockets = [_open_listener(number) for number in handlers]
    asyncio.run(_serve(edge, handlers, sockets))


def _open_listener(port: int) -> socket.socket:
    # asyncio disables Nagle's algorithm only for a socket whose protocol is stated.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(BACKLOG)
    return listener


async def _serve(edge: Edge, handlers: Mapping[int, RequestHandler], sockets: list[socket.socket]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        # At its end, uvicorn raises the signal that stopped it again.
        signal.signal(number, lambda *_: None)
    tasks = [asyncio.create_task(edge.refresh_forever()), asyncio.create_task(edge.send_metrics_forever())]
    await uvicorn.Server(_build_config(build_asgi_app(handlers))).serve(sockets)
    for task in tasks:
        task.cancel()
    await edge.send_metrics()
    # A refresh that still waits in its thread would delay the end of the process.
    os._exit(0)


def _build_config(app: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="off",
        # Nothing stands before the edge: X-Forwarded-For must not change the client's address.
        proxy_headers=False,
        server_header=False,
        date_header=False,
        access_log=False,
        log_config=None,
        backlog=BACKLOG,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=5,
    )


def build_asgi_app(handlers: Mapping[int, RequestHandler]) -> Any:
    """An ASGI application that reads a whole request and sends a whole response, with the handler of its port."""

    async def app(
        scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        body = bytearray()
        more = True
        while more and len(body) <= MAX_BODY_BYTES:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            more = message.get("more_body", False)
        request = Request(
            scope["method"],
            scope["raw_path"].decode("latin-1"),
            scope["query_string"].decode("latin-1"),
            [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]],
            bytes(body),
            scope["client"][0],
        )
        response = Response(413) if len(body) > MAX_BODY_BYTES else await handlers[scope["server"][1]](request)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        if response.status not in {204, 304}:
            headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    return app
