"""The address of the API stage: the web ACL of the stage, then the emulator."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import httpcore

from local.edge.http_messages import HOP_BY_HOP_HEADERS, Request, Response, remove_headers
from local.edge.log import log_event
from local.edge.waf.web_acl import WebAcl

# The emulator closes what is idle for 75 seconds; a request must not meet that.
IDLE_SECONDS = 10


class OriginUnreachable(Exception):  # noqa: N818
    """The origin gave no answer: `slow` when it was waited for in vain."""

    def __init__(self, *, slow: bool) -> None:
        super().__init__("slow" if slow else "away")
        self.timed_out = slow


class EmulatorClient:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = (parts.hostname or "127.0.0.1").encode(), parts.port
        self._netloc = parts.netloc
        self._pool = httpcore.AsyncConnectionPool(max_connections=None, keepalive_expiry=IDLE_SECONDS)

    async def send(self, request: Request, path: str, seconds: float) -> Response:
        """The answer to a request under that path. Raises Unreachable."""
        target = f"{path}?{request.query}" if request.query else path
        sent = remove_headers(request.headers, HOP_BY_HOP_HEADERS | {"host", "content-length"})
        headers = [("host", self._netloc), *sent]
        if request.body or request.method in {"POST", "PUT", "PATCH"}:
            headers.append(("content-length", str(len(request.body))))
        try:
            answer = await self._pool.request(
                request.method,
                httpcore.URL(scheme=b"http", host=self._host, port=self._port, target=target.encode("latin-1")),
                headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers],
                content=request.body,
                extensions={"timeout": {"connect": seconds, "read": seconds, "write": seconds, "pool": seconds}},
            )
        except httpcore.TimeoutException as error:
            raise OriginUnreachable(slow=True) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise OriginUnreachable(slow=False) from error
        received = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.headers]
        return Response(
            answer.status, remove_headers(received, HOP_BY_HOP_HEADERS | {"content-length"}), answer.content
        )


# API Gateway's own time is shorter, and it says so itself.
EMULATOR_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True)
class Stage:
    """A stage as it is deployed, `refused` being its answer to what its web ACL blocks."""

    api_id: str
    name: str
    acl: WebAcl | None
    blocked_response: Response


class StageHandler:
    def __init__(self, emulator: EmulatorClient) -> None:
        self._emulator = emulator

    async def handle_request(self, stage: Stage, request: Request, now: float) -> Response:
        """The answer of the API's address. `now` is a clock in seconds. Raises Unreachable."""
        if request.path != f"/{stage.name}" and not request.path.startswith(f"/{stage.name}/"):
            return Response(403, [("content-type", "application/json")], b'{"message":"Forbidden"}')
        blocked = stage.acl.find_block(request, now) if stage.acl else None
        if blocked:
            log_event(
                "blocked", side="stage", rule=blocked.rule_name, matched=blocked.matched_rules, method=request.method
            )
            return blocked.response or stage.blocked_response
        return await self._emulator.send(
            request, f"/_aws/execute-api/{stage.api_id}{request.path}", EMULATOR_TIMEOUT_SECONDS
        )


def build_gateway_error(failure: OriginUnreachable) -> Response:
    """What is said where nothing answers."""
    status, text = (504, "Gateway Timeout") if failure.timed_out else (502, "Bad Gateway")
    return Response(status, [("content-type", "text/plain")], text.encode())
