"""CloudFront's cache, origin request and response headers policies."""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, list_items, reject_unknown_keys
from local.edge.http_messages import Headers, Request, Response, remove_headers

NameFilter = Callable[[str], bool]
"""Whether a policy includes a name."""

_QUALITY_ZERO = re.compile(r";q=0(\.0*)?$")


@dataclass(frozen=True)
class RequestParts:
    """The headers, query parameters and cookies that a policy includes; `forwards_cookies`: if it can have any."""

    includes_header: NameFilter
    includes_query: NameFilter
    includes_cookie: NameFilter
    forwards_cookies: bool = False

    def select_query(self, request: Request) -> str:
        """The included part of the query string, not decoded."""
        parts = request.query.split("&")
        return "&".join(part for part in parts if part and self.includes_query(part.partition("=")[0]))

    def select_cookies(self, request: Request) -> str:
        """The included part of the Cookie header."""
        cookies = [part.strip() for part in (request.get_header("cookie") or "").split(";")]
        return "; ".join(part for part in cookies if part and self.includes_cookie(part.partition("=")[0]))


NO_PARTS = RequestParts(lambda _name: False, lambda _name: False, lambda _name: False)


def parse_request_parts(config: dict[str, Any], context: str) -> RequestParts:
    """Parse a cache policy or an origin request policy. Raises UnsupportedConfiguration."""
    headers, queries, cookies = config["HeadersConfig"], config["QueryStringsConfig"], config["CookiesConfig"]
    header_names = [name.lower() for name in list_items(headers.get("Headers"))]
    return RequestParts(
        _build_name_filter(headers["HeaderBehavior"], header_names, f"headers of {context}"),
        _build_name_filter(
            queries["QueryStringBehavior"], list_items(queries.get("QueryStrings")), f"query strings of {context}"
        ),
        _build_name_filter(cookies["CookieBehavior"], list_items(cookies.get("Cookies")), f"cookies of {context}"),
        cookies["CookieBehavior"] != "none",
    )


def _build_name_filter(behaviour: str, names: list[str], context: str) -> NameFilter:
    listed = set(names)
    if behaviour == "none":
        return lambda _name: False
    if behaviour in {"all", "allViewer"}:
        return lambda _name: True
    if behaviour == "whitelist":
        return lambda name: name in listed
    if behaviour == "allExcept":
        return lambda name: name not in listed
    raise UnsupportedConfiguration(f"{context}: the local edge does not support {behaviour}")


@dataclass(frozen=True)
class CachePolicy:
    """TTLs are in seconds. `key_encodings` are the encodings that the policy caches separately."""

    key_parts: RequestParts
    key_encodings: tuple[str, ...]
    min_ttl: int
    default_ttl: int
    max_ttl: int

    def build_cache_key(self, request: Request) -> Hashable:
        """Requests with equal keys share a cache entry."""
        headers = [(name, value) for name, value in request.headers if self.key_parts.includes_header(name)]
        return (
            request.path,
            self.key_parts.select_query(request),
            tuple(sorted(headers)),
            self.key_parts.select_cookies(request),
            self.normalise_encoding(request),
        )

    def normalise_encoding(self, request: Request) -> str | None:
        """The Accept-Encoding that CloudFront sends to the origin: only encodings that the policy caches separately."""
        accept_encoding = (request.get_header("accept-encoding") or "").replace(" ", "").lower()
        accepted = {part.partition(";")[0] for part in accept_encoding.split(",") if not _QUALITY_ZERO.search(part)}
        return ",".join(name for name in self.key_encodings if name in accepted) or None


def parse_cache_policy(config: dict[str, Any]) -> CachePolicy:
    """Raises UnsupportedConfiguration."""
    known_keys = ("Name", "Comment", "MinTTL", "DefaultTTL", "MaxTTL", "ParametersInCacheKeyAndForwardedToOrigin")
    reject_unknown_keys(config, known_keys, "cache policy")
    key = config["ParametersInCacheKeyAndForwardedToOrigin"]
    settings = (("br", "Brotli"), ("gzip", "Gzip"))
    encodings = tuple(name for name, setting in settings if key.get(f"EnableAcceptEncoding{setting}"))
    min_ttl, default_ttl = int(config["MinTTL"]), int(config.get("DefaultTTL", 86_400))
    max_ttl = max(int(config.get("MaxTTL", 31_536_000)), min_ttl)
    return CachePolicy(parse_request_parts(key, "cache policy"), encodings, min_ttl, default_ttl, max_ttl)


def parse_response_headers_policy(config: dict[str, Any]) -> Callable[[Response], Response]:
    """Return the function that applies the policy to a response. Raises UnsupportedConfiguration."""
    known_keys = (
        "Name",
        "Comment",
        "SecurityHeadersConfig",
        "CustomHeadersConfig",
        "RemoveHeadersConfig",
        "ServerTimingHeadersConfig",
    )
    reject_unknown_keys(config, known_keys, "response headers policy")
    if (config.get("ServerTimingHeadersConfig") or {}).get("Enabled"):
        raise UnsupportedConfiguration("response headers policy: the local edge does not send Server-Timing")
    security = config.get("SecurityHeadersConfig") or {}
    reject_unknown_keys(security, _SECURITY_HEADERS, "SecurityHeadersConfig")
    added = [(*_SECURITY_HEADERS[name](part), bool(part["Override"])) for name, part in security.items()]
    custom = list_items(config.get("CustomHeadersConfig"))
    added += [(part["Header"].lower(), part["Value"], bool(part["Override"])) for part in custom]
    removed = frozenset(part["Header"].lower() for part in list_items(config.get("RemoveHeadersConfig")))

    def apply(response: Response) -> Response:
        headers: Headers = remove_headers(response.headers, removed)
        present = {name for name, _ in headers}
        effective = [(name, value) for name, value, override in added if override or name not in present]
        return Response(response.status, headers, response.body).with_headers(*effective)

    return apply


def _build_transport_security(part: dict[str, Any]) -> tuple[str, str]:
    options = "; includeSubdomains" * bool(part.get("IncludeSubdomains")) + "; preload" * bool(part.get("Preload"))
    return "strict-transport-security", f"max-age={part['AccessControlMaxAgeSec']}{options}"


def _build_xss_protection(part: dict[str, Any]) -> tuple[str, str]:
    return "x-xss-protection", f"{int(part['Protection'])}{'; mode=block' if part.get('ModeBlock') else ''}"


_SECURITY_HEADERS: dict[str, Callable[[dict[str, Any]], tuple[str, str]]] = {
    "StrictTransportSecurity": _build_transport_security,
    "ContentTypeOptions": lambda _part: ("x-content-type-options", "nosniff"),
    "FrameOptions": lambda part: ("x-frame-options", part["FrameOption"]),
    "ReferrerPolicy": lambda part: ("referrer-policy", part["ReferrerPolicy"]),
    "ContentSecurityPolicy": lambda part: ("content-security-policy", part["ContentSecurityPolicy"]),
    "XSSProtection": _build_xss_protection,
}
