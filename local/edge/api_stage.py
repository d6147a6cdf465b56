"""The address of the API stage: the web ACL of the stage, then the emulator."""

from dataclasses import dataclass
from functools import cached_property
from urllib.parse import urlsplit

import aiohttp
from yarl import URL

from local.edge.http_messages import HOP_BY_HOP_HEADERS, Request, Response, remove_headers
from local.edge.log import log_event
from local.edge.waf.web_acl import WebAcl

# Longer than the timeout of API Gateway, which reports its own timeout.
EMULATOR_TIMEOUT_SECONDS = 60.0
# The emulator closes a connection after 75 idle seconds; the pool must drop it earlier.
IDLE_SECONDS = 10
MAX_HEADER_BYTES = 64 * 1024

# The client sends its own, and the server has already responded to Expect.
_REPLACED_HEADERS = HOP_BY_HOP_HEADERS | {"host", "content-length", "expect"}


class OriginUnreachable(Exception):  # noqa: N818 - it describes the state of the origin
    """The origin sent no response. `timed_out` tells a timeout from a connection error."""

    def __init__(self, *, timed_out: bool) -> None:
        super().__init__("timed out" if timed_out else "connection error")
        self.timed_out = timed_out


@dataclass(frozen=True)
class Stage:
    """A deployed stage. `blocked_response` is the gateway response to a request that the web ACL blocks."""

    api_id: str
    name: str
    acl: WebAcl | None
    blocked_response: Response


class StageHandler:
    """Handles requests to the API's own address."""

    def __init__(self, emulator: "EmulatorClient") -> None:
        self._emulator = emulator

    async def handle_request(self, stage: Stage, request: Request, now: float) -> Response:
        """Evaluate the web ACL, then forward to the emulator. `now` is a clock in seconds. Raises OriginUnreachable."""
        if request.path != f"/{stage.name}" and not request.path.startswith(f"/{stage.name}/"):
            return Response(403, [("content-type", "application/json")], b'{"message":"Forbidden"}')
        block = stage.acl.find_block(request, now) if stage.acl else None
        if block:
            log_event("blocked", side="stage", rule=block.rule_name, matched=block.matched_rules, method=request.method)
            return block.response or stage.blocked_response
        path = f"/_aws/execute-api/{stage.api_id}{request.path}"
        return await self._emulator.send(request, path, EMULATOR_TIMEOUT_SECONDS)


class EmulatorClient:
    """Forwards requests to the emulator without a change to target or headers.

    A header that is not UTF-8 is read as Latin-1 and sent as UTF-8.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._host = urlsplit(url).netloc

    @cached_property
    def _session(self) -> aiohttp.ClientSession:
        """Made with the first request, because it belongs to the running event loop."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            skip_auto_headers=("accept", "accept-encoding", "content-type", "user-agent"),
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )

    async def close(self) -> None:
        await self._session.close()

    async def send(self, request: Request, path: str, timeout_seconds: float) -> Response:
        """Send the request to this path of the emulator. Raises OriginUnreachable."""
        target = f"{path}?{request.query}" if request.query else path
        headers = [(name, _decode_utf8(value)) for name, value in request.headers if name not in _REPLACED_HEADERS]
        try:
            async with self._session.request(
                request.method,
                URL(self._url + target, encoded=True),
                headers=[("host", self._host), *headers],
                data=request.body or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(sock_connect=timeout_seconds, sock_read=timeout_seconds),
            ) as response:
                body = await response.read()
        except TimeoutError as error:
            raise OriginUnreachable(timed_out=True) from error
        except aiohttp.ClientError as error:
            raise OriginUnreachable(timed_out=False) from error
        received = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.raw_headers]
        return Response(response.status, remove_headers(received, HOP_BY_HOP_HEADERS | {"content-length"}), body)


def _decode_utf8(value: str) -> str:
    """The text of a header whose bytes were read as Latin-1, if they are UTF-8."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return value


def build_gateway_error(failure: OriginUnreachable) -> Response:
    """The response to a request whose origin sent none: 504 after a timeout, 502 otherwise."""
    status, text = (504, "Gateway Timeout") if failure.timed_out else (502, "Bad Gateway")
    return Response(status, [("content-type", "text/plain")], text.encode())
