"""Requests to the emulator, as they are: target and headers go on untouched."""

from urllib.parse import urlsplit

import httpcore

from local.edge.messages import HOP_BY_HOP, Request, Response, without

# The emulator closes what is idle for 75 seconds; a request must not meet that.
IDLE_SECONDS = 10


class Unreachable(Exception):  # noqa: N818
    """The origin gave no answer: `slow` when it was waited for in vain."""

    def __init__(self, *, slow: bool) -> None:
        super().__init__("slow" if slow else "away")
        self.slow = slow


class Emulator:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._port = (parts.hostname or "127.0.0.1").encode(), parts.port
        self._netloc = parts.netloc
        self._pool = httpcore.AsyncConnectionPool(max_connections=None, keepalive_expiry=IDLE_SECONDS)

    async def send(self, request: Request, path: str, seconds: float) -> Response:
        """The answer to a request under that path. Raises Unreachable."""
        target = f"{path}?{request.query}" if request.query else path
        sent = without(request.headers, HOP_BY_HOP | {"host", "content-length"})
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
            raise Unreachable(slow=True) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            raise Unreachable(slow=False) from error
        received = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in answer.headers]
        return Response(answer.status, without(received, HOP_BY_HOP | {"content-length"}), answer.content)
