"""The address of the distribution: web ACL, cache behaviour, cache and origin, in CloudFront's order."""

import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace

from local.edge.api_stage import OriginUnreachable, build_gateway_error
from local.edge.cloudfront.distribution import CacheBehaviour, Distribution
from local.edge.cloudfront.response_cache import CacheEntry, ResponseCache, compute_stale_seconds, compute_ttl
from local.edge.http_messages import Headers, Request, Response, remove_headers, replace_headers
from local.edge.log import log_event
from local.edge.waf.web_acl import WebAcl

MAX_URL_LENGTH = 8_192
MAX_HEADERS_LENGTH = 20_480

OriginFetcher = Callable[[Request], Awaitable[Response]]
"""Sends a request to the origin. Raises OriginUnreachable."""

# Values of X-Cache.
HIT, REFRESH_HIT, MISS, ERROR = "Hit", "RefreshHit", "Miss", "Error"

_VIA = ("via", "1.1 edge.local (CloudFront)")
_CONDITIONAL_HEADERS = frozenset({"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range"})


class DistributionHandler:
    def __init__(self) -> None:
        self._cache = ResponseCache()

    def forget_responses(self) -> None:
        """Empty the cache, as an invalidation of all paths does."""
        self._cache = ResponseCache()

    async def handle_request(
        self, distribution: Distribution, acl: WebAcl | None, fetch_from_origin: OriginFetcher, request: Request
    ) -> Response:
        """The response to a viewer. It has the id that the origin got with the request."""
        response = await self._respond(distribution, acl, fetch_from_origin, request)
        return response.with_headers(("x-amz-cf-id", request.id))

    async def _respond(
        self, distribution: Distribution, acl: WebAcl | None, fetch_from_origin: OriginFetcher, request: Request
    ) -> Response:
        rejection = _reject_invalid_request(distribution, request)
        if rejection:
            return _add_cloudfront_headers(rejection, ERROR)
        block = acl.find_block(request, time.monotonic()) if acl else None
        if block:
            log_event(
                "blocked",
                side="distribution",
                rule=block.rule_name,
                matched=block.matched_rules,
                method=request.method,
            )
            return _add_cloudfront_headers(block.response or _build_error(403, "Request blocked."), ERROR)
        behaviour = distribution.match_behaviour(request.path)
        if request.method not in behaviour.allowed_methods:
            return _add_cloudfront_headers(_build_error(403, "This distribution does not allow the method."), ERROR)
        request = behaviour.change_viewer_request(request)
        if not behaviour.supports_conditional_requests:
            request = replace(request, headers=remove_headers(request.headers, _CONDITIONAL_HEADERS))
        if _is_cacheable(behaviour, request):
            response = await self._handle_cached(distribution, behaviour, fetch_from_origin, request)
        else:
            response = await _fetch(fetch_from_origin, build_origin_request(behaviour, request))
            response = _add_cloudfront_headers(response, MISS if response.status < 400 else ERROR)
        return behaviour.add_response_headers(response)

    async def _handle_cached(
        self,
        distribution: Distribution,
        behaviour: CacheBehaviour,
        fetch_from_origin: OriginFetcher,
        request: Request,
    ) -> Response:
        key: Hashable = (request.method, behaviour.cache_policy.build_cache_key(request))
        now = time.time()
        entry, error = self._cache.get(key), self._cache.get(("error", key))
        if entry and entry.is_fresh(now):
            return _respond_from_cache(entry, HIT, request, now)
        if error and error.is_fresh(now):
            return self._find_stale_response(error.response, entry, request, now) or _add_cloudfront_headers(
                error.response.with_headers(error.build_age_header(now)), ERROR
            )
        response = await _fetch(fetch_from_origin, build_origin_request(behaviour, request, entry))
        if response.status == 304 and entry:
            validated = replace(entry.response, headers=replace_headers(entry.response.headers, *response.headers))
            self._store(key, validated, distribution, behaviour)
            return _respond_from_cache(CacheEntry(validated, time.time(), 0, 0), REFRESH_HIT, request, time.time())
        stale = self._find_stale_response(response, entry, request, now)
        self._store(key, response, distribution, behaviour)
        return stale or _add_cloudfront_headers(
            _make_conditional(response, request), MISS if response.status < 400 else ERROR
        )

    def _find_stale_response(
        self, response: Response, entry: CacheEntry | None, request: Request, now: float
    ) -> Response | None:
        """The stale response that replaces a server error, if the entry allows it. A 4xx response is valid and is not
        replaced."""
        if response.status < 500 or entry is None or not entry.is_usable_when_stale(now):
            return None
        log_event("stale", age=int(now - entry.validated_at), method=request.method)
        return _respond_from_cache(entry, REFRESH_HIT, request, now)

    def _store(self, key: Hashable, response: Response, distribution: Distribution, behaviour: CacheBehaviour) -> None:
        now = time.time()
        ttl = compute_ttl(response, behaviour.cache_policy, distribution.error_ttl_seconds, now)
        if response.status >= 400:
            if response.status in {404, 410}:
                self._cache.remove(key)
            if ttl is not None:
                self._cache.put(("error", key), CacheEntry(response, now, now + ttl, 0))
        elif ttl is not None:
            stale_until = now + ttl + compute_stale_seconds(response, behaviour.cache_policy)
            self._cache.put(key, CacheEntry(response, now, now + ttl, stale_until))
        elif response.status < 300:
            self._cache.remove(key)


def _reject_invalid_request(distribution: Distribution, request: Request) -> Response | None:
    if not distribution.enabled:
        return _build_error(403, "The distribution is disabled.")
    if len(request.target) > MAX_URL_LENGTH:
        return _build_error(414, "The URL is too long.")
    if len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers) > MAX_HEADERS_LENGTH:
        return _build_error(413, "The headers are too large.")
    if request.method in {"GET", "HEAD"} and request.body:
        return _build_error(403, "A GET or HEAD request must not have a body.")
    return None


def _is_cacheable(behaviour: CacheBehaviour, request: Request) -> bool:
    if request.method not in behaviour.cached_methods or request.method == "OPTIONS":
        return False
    return not request.get_header("range")


def build_origin_request(behaviour: CacheBehaviour, request: Request, entry: CacheEntry | None = None) -> Request:
    """The request that CloudFront sends to the origin. With an entry, it is conditional and validates that entry."""
    origin, key_parts, forwarded = behaviour.origin, behaviour.cache_policy.key_parts, behaviour.forwarded_parts
    sent_parts = replace(
        key_parts,
        includes_header=lambda name: key_parts.includes_header(name) or forwarded.includes_header(name),
        includes_query=lambda name: key_parts.includes_query(name) or forwarded.includes_query(name),
        includes_cookie=lambda name: key_parts.includes_cookie(name) or forwarded.includes_cookie(name),
    )
    viewer_headers = remove_headers(request.headers, frozenset({"host", "cookie", "user-agent", "content-length"}))
    headers: Headers = [
        (name, value) for name, value in viewer_headers if sent_parts.includes_header(name) or name == "content-type"
    ]
    user_agent = request.get_header("user-agent") if sent_parts.includes_header("user-agent") else None
    forwarded_for = [part for part in (request.get_header("x-forwarded-for"), request.client_address) if part]
    added = [
        ("user-agent", user_agent or "Amazon CloudFront"),
        ("x-forwarded-for", ", ".join(forwarded_for)),
        _VIA,
        ("x-amz-cf-id", request.id),
    ]
    if behaviour.cache_policy.key_encodings:
        headers = remove_headers(headers, frozenset({"accept-encoding"}))
        encoding = behaviour.cache_policy.normalise_encoding(request)
        added += [("accept-encoding", encoding)] if encoding else []
    cookies = sent_parts.select_cookies(request)
    added += [("cookie", cookies)] if cookies else []
    if entry:
        headers = remove_headers(headers, _CONDITIONAL_HEADERS)
        added += _build_validation_headers(entry) if behaviour.supports_conditional_requests else []
    return replace(
        request,
        path=origin.path + request.path,
        query=sent_parts.select_query(request),
        headers=replace_headers(headers, *added, *origin.custom_headers),
        client_address="127.0.0.1",
    )


def _build_validation_headers(entry: CacheEntry) -> Headers:
    etag, modified = entry.response.get_header("etag"), entry.response.get_header("last-modified")
    return [
        *([("if-none-match", etag)] if etag else []),
        *([("if-modified-since", modified)] if modified else []),
    ]


async def _fetch(fetch_from_origin: OriginFetcher, request: Request) -> Response:
    try:
        return await fetch_from_origin(request)
    except OriginUnreachable as failure:
        return build_gateway_error(failure)


def _respond_from_cache(entry: CacheEntry, x_cache: str, request: Request, now: float) -> Response:
    response = entry.response.with_headers(entry.build_age_header(now))
    return _add_cloudfront_headers(_make_conditional(response, request), x_cache)


def _make_conditional(response: Response, request: Request) -> Response:
    """Reduce the response to 304 if the viewer already has the representation (If-None-Match)."""
    etag, if_none_match = response.get_header("etag"), request.get_header("if-none-match")
    if response.status != 200 or etag is None or if_none_match is None:
        return response
    viewer_tags = {tag.strip().removeprefix("W/") for tag in if_none_match.split(",")}
    if etag.removeprefix("W/") not in viewer_tags and "*" not in viewer_tags:
        return response
    return Response(304, remove_headers(response.headers, frozenset({"content-type", "content-encoding"})))


def _add_cloudfront_headers(response: Response, x_cache: str) -> Response:
    return response.with_headers(("x-cache", f"{x_cache} from cloudfront"), _VIA)


def _build_error(status: int, text: str) -> Response:
    return Response(status, [("content-type", "text/plain"), ("server", "CloudFront")], text.encode())
