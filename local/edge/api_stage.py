"""The address of the API stage: the web ACL of the stage, then the emulator."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore

from local.edge.http_messages import HOP_BY_HOP_HEADERS, Request, Response, remove_headers
from local.edge.log import log_event
from local.edge.waf.web_acl import WebAcl

# Longer than the timeout of API Gateway, which reports its own timeout.
EMULATOR_TIMEOUT_SECONDS = 60.0
# The emulator closes a connection after 75 idle seconds; the pool must drop it earlier.
IDLE_SECONDS = 10


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
    """Forwards requests to the emulator without a change to target or headers."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = (parts.hostname or "127.0.0.1").encode(), parts.port
        self._netloc = parts.netloc
        self._pool = httpcore.AsyncConnectionPool(max_connections=None, keepalive_expiry=IDLE_SECONDS)

    async def send(self, request: Request, path: str, timeout_seconds: float) -> Response:
        """Send the request to this path of the emulator. Raises OriginUnreachable."""
        target = f"{path}?{request.query}" if request.query else path
        forwarded = remove_headers(request.headers, HOP_BY_HOP_HEADERS | {"host", "content-length"})
        headers = [("host", self._netloc), *forwarded]
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            headers.append(("content-length", str(len(request.body))))
        timeouts = dict.fromkeys(("connect", "read", "write", "pool"), timeout_seconds)
        try:
            response = await self._pool.request(
                request.method,
                httpcore.URL(scheme=b"http", host=self._host, port=self._port, target=target.encode("latin-1")),
                headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
                content=request.body,
                extensions={"timeout": timeouts},
            )
        except httpcore.TimeoutException as error:
            raise OriginUnreachable(timed_out=True) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise OriginUnreachable(timed_out=False) from error
        received = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in response.headers]
        return Response(
            response.status, remove_headers(received, HOP_BY_HOP_HEADERS | {"content-length"}), response.content
        )


def build_gateway_error(failure: OriginUnreachable) -> Response:
    """The response to a request whose origin sent none: 504 after a timeout, 502 otherwise."""
    status, text = (504, "Gateway Timeout") if failure.timed_out else (502, "Bad Gateway")
    return Response(status, [("content-type", "text/plain")], text.encode())
