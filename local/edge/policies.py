"""CloudFront's policies: by what a request is known in the cache, what of it the origin gets, which headers are
added."""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from local.edge.messages import Headers, Request, Response
from local.edge.refusal import NotUnderstood, items, only

Chosen = Callable[[str], bool]
"""Whether a name is among what a policy chooses."""


_REFUSED = re.compile(r";q=0(\.0*)?$")


def _chosen(behaviour: str, names: list[str], what: str, *, lower: bool = False) -> Chosen:
    listed = {name.lower() if lower else name for name in names}
    if behaviour == "none":
        return lambda _name: False
    if behaviour in {"all", "allViewer"}:
        return lambda _name: True
    if behaviour == "whitelist":
        return lambda name: name in listed
    if behaviour == "allExcept":
        return lambda name: name not in listed
    raise NotUnderstood(f"{what}: {behaviour} is not done by the local edge")


@dataclass(frozen=True)
class Parts:
    """The headers, query parameters and cookies that a policy chooses."""

    headers: Chosen
    queries: Chosen
    cookies: Chosen

    def query(self, request: Request) -> str:
        """What of the query string is chosen, as it was sent."""
        return "&".join(part for part in request.query.split("&") if part and self.queries(part.partition("=")[0]))

    def cookie(self, request: Request) -> str:
        sent = [part.strip() for part in (request.header("cookie") or "").split(";")]
        return "; ".join(part for part in sent if part and self.cookies(part.partition("=")[0]))


NOTHING = Parts(lambda _name: False, lambda _name: False, lambda _name: False)


def parts(given: dict[str, Any], what: str) -> Parts:
    """Of a cache policy's or an origin request policy's configuration. Raises NotUnderstood."""
    headers, queries, cookies = given["HeadersConfig"], given["QueryStringsConfig"], given["CookiesConfig"]
    return Parts(
        _chosen(headers["HeaderBehavior"], items(headers.get("Headers")), f"headers of {what}", lower=True),
        _chosen(queries["QueryStringBehavior"], items(queries.get("QueryStrings")), f"query strings of {what}"),
        _chosen(cookies["CookieBehavior"], items(cookies.get("Cookies")), f"cookies of {what}"),
    )


@dataclass(frozen=True)
class CachePolicy:
    """Times to live are in seconds."""

    known_by: Parts
    encodings: tuple[str, ...]
    minimum: int
    default: int
    maximum: int

    def key(self, request: Request) -> Hashable:
        """What a request must have in common with an earlier one to get its answer."""
        headers = tuple(sorted((name, value) for name, value in request.headers if self.known_by.headers(name)))
        return (
            request.path,
            self.known_by.query(request),
            headers,
            self.known_by.cookie(request),
            self.encoding(request),
        )

    def encoding(self, request: Request) -> str | None:
        """The viewer's Accept-Encoding as CloudFront sends it on: only what the policy caches apart."""
        given = (request.header("accept-encoding") or "").replace(" ", "").lower()
        accepted = {part.partition(";")[0] for part in given.split(",") if not _REFUSED.search(part)}
        return ",".join(name for name in self.encodings if name in accepted) or None


def cache_policy(given: dict[str, Any]) -> CachePolicy:
    """Raises NotUnderstood."""
    known = ("Name", "Comment", "MinTTL", "DefaultTTL", "MaxTTL", "ParametersInCacheKeyAndForwardedToOrigin")
    only(given, known, "cache policy")
    key = given["ParametersInCacheKeyAndForwardedToOrigin"]
    encodings = [
        name for name, setting in (("br", "Brotli"), ("gzip", "Gzip")) if key.get(f"EnableAcceptEncoding{setting}")
    ]
    minimum, default = int(given["MinTTL"]), int(given.get("DefaultTTL", 86_400))
    maximum = max(int(given.get("MaxTTL", 31_536_000)), minimum)
    return CachePolicy(parts(key, "cache policy"), tuple(encodings), minimum, default, maximum)


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
