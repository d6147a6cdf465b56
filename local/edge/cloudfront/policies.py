"""CloudFront's cache, origin request and response headers policies."""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, list_items, reject_unknown_keys
from local.edge.http_messages import Headers, Request, Response

NameFilter = Callable[[str], bool]


"""Whether a name is among what a policy chooses."""


_REFUSED = re.compile(r";q=0(\.0*)?$")


def _chosen(behaviour: str, names: list[str], what: str, *, lower: bool = False) -> NameFilter:
    listed = {name.lower() if lower else name for name in names}
    if behaviour == "none":
        return lambda _name: False
    if behaviour in {"all", "allViewer"}:
        return lambda _name: True
    if behaviour == "whitelist":
        return lambda name: name in listed
    if behaviour == "allExcept":
        return lambda name: name not in listed
    raise UnsupportedConfiguration(f"{what}: {behaviour} is not done by the local edge")


@dataclass(frozen=True)
class RequestParts:
    """The headers, query parameters and cookies that a policy chooses."""

    includes_header: NameFilter
    includes_query: NameFilter
    includes_cookie: NameFilter

    def select_query(self, request: Request) -> str:
        """What of the query string is chosen, as it was sent."""
        return "&".join(
            part for part in request.query.split("&") if part and self.includes_query(part.partition("=")[0])
        )

    def select_cookies(self, request: Request) -> str:
        sent = [part.strip() for part in (request.get_header("cookie") or "").split(";")]
        return "; ".join(part for part in sent if part and self.includes_cookie(part.partition("=")[0]))


NO_PARTS = RequestParts(lambda _name: False, lambda _name: False, lambda _name: False)


def parse_request_parts(given: dict[str, Any], what: str) -> RequestParts:
    """Of a cache policy's or an origin request policy's configuration. Raises NotUnderstood."""
    headers, queries, cookies = given["HeadersConfig"], given["QueryStringsConfig"], given["CookiesConfig"]
    return RequestParts(
        _chosen(headers["HeaderBehavior"], list_items(headers.get("Headers")), f"headers of {what}", lower=True),
        _chosen(queries["QueryStringBehavior"], list_items(queries.get("QueryStrings")), f"query strings of {what}"),
        _chosen(cookies["CookieBehavior"], list_items(cookies.get("Cookies")), f"cookies of {what}"),
    )


@dataclass(frozen=True)
class CachePolicy:
    """Times to live are in seconds."""

    key_parts: RequestParts
    encodings: tuple[str, ...]
    min_ttl: int
    default_ttl: int
    max_ttl: int

    def build_cache_key(self, request: Request) -> Hashable:
        """What a request must have in common with an earlier one to get its answer."""
        headers = tuple(
            sorted((name, value) for name, value in request.headers if self.key_parts.includes_header(name))
        )
        return (
            request.path,
            self.key_parts.select_query(request),
            headers,
            self.key_parts.select_cookies(request),
            self.normalise_encoding(request),
        )

    def normalise_encoding(self, request: Request) -> str | None:
        """The viewer's Accept-Encoding as CloudFront sends it on: only what the policy caches apart."""
        given = (request.get_header("accept-encoding") or "").replace(" ", "").lower()
        accepted = {part.partition(";")[0] for part in given.split(",") if not _REFUSED.search(part)}
        return ",".join(name for name in self.encodings if name in accepted) or None


def parse_cache_policy(given: dict[str, Any]) -> CachePolicy:
    """Raises NotUnderstood."""
    known = ("Name", "Comment", "MinTTL", "DefaultTTL", "MaxTTL", "ParametersInCacheKeyAndForwardedToOrigin")
    reject_unknown_keys(given, known, "cache policy")
    key = given["ParametersInCacheKeyAndForwardedToOrigin"]
    encodings = [
        name for name, setting in (("br", "Brotli"), ("gzip", "Gzip")) if key.get(f"EnableAcceptEncoding{setting}")
    ]
    minimum, default = int(given["MinTTL"]), int(given.get("DefaultTTL", 86_400))
    maximum = max(int(given.get("MaxTTL", 31_536_000)), minimum)
    return CachePolicy(parse_request_parts(key, "cache policy"), tuple(encodings), minimum, default, maximum)


def parse_response_headers_policy(given: dict[str, Any]) -> Callable[[Response], Response]:
    """What a response headers policy does to each answer. Raises NotUnderstood."""
    known = (
        "Name",
        "Comment",
        "SecurityHeadersConfig",
        "CustomHeadersConfig",
        "RemoveHeadersConfig",
        "ServerTimingHeadersConfig",
    )
    reject_unknown_keys(given, known, "response headers policy")
    if (given.get("ServerTimingHeadersConfig") or {}).get("Enabled"):
        raise UnsupportedConfiguration("response headers policy: Server-Timing is not sent by the local edge")
    security = given.get("SecurityHeadersConfig") or {}
    reject_unknown_keys(security, _SECURITY, "SecurityHeadersConfig")
    added = [(*_SECURITY[name](part), bool(part["Override"])) for name, part in security.items()]
    custom = list_items(given.get("CustomHeadersConfig"))
    added += [(part["Header"].lower(), part["Value"], bool(part["Override"])) for part in custom]
    removed = {part["Header"].lower() for part in list_items(given.get("RemoveHeadersConfig"))}

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
