"""The two listeners of the edge, as ASGI applications."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

from hypercorn.asyncio import serve
from hypercorn.config import Config

from local.edge.edge import Edge
from local.edge.http_messages import Request, Response

# Above the 10 MB limit of API Gateway, which reports it itself.
MAX_BODY_BYTES = 11 * 1024 * 1024

RequestHandler = Callable[[Request], Awaitable[Response]]


def run_servers(edge: Edge, port: int, stage_port: int) -> None:
    """Serve the distribution on one port of 127.0.0.1 and the stage on another, until SIGTERM or SIGINT."""
    asyncio.run(_serve(edge, port, stage_port))


async def _serve(edge: Edge, port: int, stage_port: int) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    refresh_task = asyncio.create_task(edge.refresh_forever())
    listeners = ((edge.handle_viewer_request, port), (edge.handle_stage_request, stage_port))
    await asyncio.gather(
        *(
            serve(build_asgi_app(handler), _build_config(listener_port), shutdown_trigger=stop.wait)
            for handler, listener_port in listeners
        )
    )
    refresh_task.cancel()
    # A refresh that still waits in its thread would delay the end of the process.
    os._exit(0)


def _build_config(port: int) -> Config:
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.keep_alive_timeout = 75
    config.graceful_timeout = 5
    config.backlog = 512
    config.h11_max_incomplete_size = 64 * 1024
    config.include_server_header = False
    config.include_date_header = False
    config.accesslog = None
    return config


def build_asgi_app(handler: RequestHandler) -> Any:
    """An ASGI application that reads a whole request and sends a whole response."""

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
        response = Response(413) if more else await handler(request)
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
        if response.status not in {204, 304}:
            headers.append((b"content-length", str(len(response.body)).encode()))
        await send({"type": "http.response.start", "status": response.status, "headers": headers})
        await send({"type": "http.response.body", "body": response.body})

    return app
