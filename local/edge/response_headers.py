"""A response headers policy of CloudFront."""

from collections.abc import Callable
from typing import Any

from local.edge.messages import Headers, Response
from local.edge.refusal import NotUnderstood, items, only


def added_headers(given: dict[str, Any]) -> Callable[[Response], Response]:
    """What a response headers policy does to each answer. Raises NotUnderstood."""
    known = (
        "Name",
        "Comment",
        "SecurityHeadersConfig",
        "CustomHeadersConfig",
        "RemoveHeadersConfig",
        "ServerTimingHeadersConfig",
    )
    only(given, known, "response headers policy")
    if (given.get("ServerTimingHeadersConfig") or {}).get("Enabled"):
        raise NotUnderstood("response headers policy: Server-Timing is not sent by the local edge")
    security = given.get("SecurityHeadersConfig") or {}
    only(security, _SECURITY, "SecurityHeadersConfig")
    added = [(*_SECURITY[name](part), bool(part["Override"])) for name, part in security.items()]
    custom = items(given.get("CustomHeadersConfig"))
    added += [(part["Header"].lower(), part["Value"], bool(part["Override"])) for part in custom]
    removed = {part["Header"].lower() for part in items(given.get("RemoveHeadersConfig"))}

    def changed(answer: Response) -> Response:
        kept: Headers = [(name, value) for name, value in answer.headers if name not in removed]
        present = {name for name, _ in kept}
        wanted = [(name, value) for name, value, override in added if override or name not in present]
        return Response(answer.status, kept, answer.body).with_headers(*wanted)

    return changed


def _transport_security(part: dict[str, Any]) -> tuple[str, str]:
    more = "; includeSubdomains" * bool(part.get("IncludeSubdomains")) + "; preload" * bool(part.get("Preload"))
    return "strict-transport-security", f"max-age={part['AccessControlMaxAgeSec']}{more}"


def _xss_protection(part: dict[str, Any]) -> tuple[str, str]:
    return "x-xss-protection", f"{int(part['Protection'])}{'; mode=block' if part.get('ModeBlock') else ''}"


_SECURITY: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
    "StrictTransportSecurity": _transport_security,
    "ContentTypeOptions": lambda _part: ("x-content-type-options", "nosniff"),
    "FrameOptions": lambda part: ("x-frame-options", part["FrameOption"]),
    "ReferrerPolicy": lambda part: ("referrer-policy", part["ReferrerPolicy"]),
    "ContentSecurityPolicy": lambda part: ("content-security-policy", part["ContentSecurityPolicy"]),
    "XSSProtection": _xss_protection,
}
