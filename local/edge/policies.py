"""CloudFront's policies of cache and origin request: what a request is known by, and what of it the origin gets."""

import re
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any

from local.edge.messages import Request
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
