"""Let in only this console's own page, in the browser of the operator who started it.

The server listens on loopback, where every page that the operator's browser shows and every other user of the machine
can reach it. So each request must name this server in `Host` (a page of another name that resolves to 127.0.0.1 does
not), come from this server's own page when it has an `Origin` or `Sec-Fetch-Site`, and for data and commands have the
token of this start, which only the operator gets.
"""

import hmac
import secrets
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ops.console.messages import TOKEN_HEADER, Problem, encode_message

# No script, style, image or data but the server's own; nothing else at all; nothing within attributes; in no frame; no
# text that becomes markup: the browser refuses it and reports it.
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
SECURITY_HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
MAX_BODY_BYTES = 1 << 16
OPEN_ADDRESS = "Open the address that `sluice console` printed."
_TOKEN_HEADER = TOKEN_HEADER.lower().encode()


def create_token() -> str:
    """A token of 256 random bits."""
    return secrets.token_urlsafe(32)


class Guard:
    """Refuses every other request before the application sees it, and adds the security headers to each answer."""

    def __init__(self, application: ASGIApp, token: str, port: int) -> None:
        self._application = application
        self._token = token.encode()
        self._hosts = {f"{name}:{port}" for name in ("127.0.0.1", "localhost")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._application(scope, receive, send)
            return
        if scope["type"] != "http":  # a web socket
            await send({"type": "websocket.close"})
            return
        headers = dict(scope["headers"])

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *_encode_headers(SECURITY_HEADERS.items())]
            await send(message)

        if problem := self._find_problem(scope, headers):
            await _send_problem(send_with_headers, *problem)
            return
        await self._application(scope, receive, send_with_headers)

    def _find_problem(self, scope: Scope, headers: dict[bytes, bytes]) -> tuple[int, Problem] | None:
        """The status and the reason with which a request is refused; None when it is let in."""
        host = headers.get(b"host", b"").decode("latin-1")
        origin = headers.get(b"origin", f"http://{host}".encode("latin-1")).decode("latin-1")
        site = headers.get(b"sec-fetch-site", b"none")
        if host not in self._hosts:
            return 403, Problem("This server has another name.", OPEN_ADDRESS)
        if origin != f"http://{host}" or (_is_data(scope) and site not in {b"same-origin", b"none"}):
            return 403, Problem("Another page sent this request.")
        if _is_data(scope) and not hmac.compare_digest(headers.get(_TOKEN_HEADER, b""), self._token):
            return 401, Problem("The token of this console is missing or wrong.", OPEN_ADDRESS)
        return _find_problem_of_post(headers) if scope["method"] == "POST" else None


def _is_data(scope: Scope) -> bool:
    """Whether a request is for data or a command. The files of the page are the same for everybody."""
    return scope["method"] == "POST" or str(scope["path"]).startswith("/api")


def _find_problem_of_post(headers: dict[bytes, bytes]) -> tuple[int, Problem] | None:
    if b"origin" not in headers:
        return 403, Problem("The request does not say which page sent it (Origin).")
    if headers.get(b"content-type", b"").split(b";")[0].strip().lower() != b"application/json":
        return 415, Problem("The body must be application/json.")
    # Without a length, the body could be endless.
    length = headers.get(b"content-length", b"")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        return 413, Problem(f"The body must have a length of at most {MAX_BODY_BYTES} bytes.")
    return None


async def _send_problem(send: Send, status: int, problem: Problem) -> None:
    body = encode_message(problem)
    headers = [("content-type", "application/json"), ("content-length", str(len(body)))]
    await send({"type": "http.response.start", "status": status, "headers": _encode_headers(headers)})
    await send({"type": "http.response.body", "body": body})


def _encode_headers(headers: Iterable[tuple[str, str]]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers]
