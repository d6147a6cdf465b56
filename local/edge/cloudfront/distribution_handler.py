"""The address of the distribution: web ACL, cache behaviour, cache and origin, in CloudFront's order."""

import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from uuid import uuid4

from local.edge.api_stage import OriginUnreachable, build_gateway_error
from local.edge.cloudfront.distribution import CacheBehaviour, Distribution
from local.edge.cloudfront.response_cache import CacheEntry, ResponseCache, compute_stale_seconds, compute_ttl
from local.edge.http_messages import Headers, Request, Response, remove_headers, replace_headers
from local.edge.log import log_event
from local.edge.waf.web_acl import WebAcl

MAX_URL_LENGTH = 8_192


MAX_HEADERS_LENGTH = 20_480


OriginFetcher = Callable[[Request], Awaitable[Response]]


"""Asks the origin. Raises Unreachable."""


HIT, REFRESHED, MISS, ERROR = "Hit", "RefreshHit", "Miss", "Error"


class DistributionHandler:
    def __init__(self) -> None:
        self._kept = ResponseCache()

    async def handle_request(
        self, made: Distribution, acl: WebAcl | None, ask: OriginFetcher, request: Request
    ) -> Response:
        """The answer to a viewer. `ask` reaches the origin."""
        refused = _refused(made, request)
        if refused:
            return _marked(refused, ERROR)
        blocked = acl.find_block(request, time.monotonic()) if acl else None
        if blocked:
            log_event(
                "blocked",
                side="distribution",
                rule=blocked.rule_name,
                matched=blocked.matched_rules,
                method=request.method,
            )
            return _marked(blocked.response or _own(403, "Request blocked."), ERROR)
        behaviour = made.match_behaviour(request.path)
        if request.method not in behaviour.allowed_methods:
            return _marked(_own(403, "This distribution does not allow the method."), ERROR)
        if (
            request.method in behaviour.cached_methods
            and request.method != "OPTIONS"
            and not request.get_header("range")
        ):
            return behaviour.add_response_headers(await self._cached(made, behaviour, ask, request))
        answer = await _asked(ask, build_origin_request(behaviour, request))
        return behaviour.add_response_headers(_marked(answer, MISS if answer.status < 400 else ERROR))

    async def _cached(
        self, made: Distribution, behaviour: CacheBehaviour, ask: OriginFetcher, request: Request
    ) -> Response:
        key: Hashable = (request.method, behaviour.cache_policy.build_cache_key(request))
        now = time.time()
        entry, error = self._kept.get(key), self._kept.get(("error", key))
        if entry and entry.is_fresh(now):
            return _from_cache(entry, HIT, request, now)
        if error and error.is_fresh(now):
            return self._instead(error.response, entry, request, now) or _marked(
                error.response.with_headers(error.build_age_header(now)), ERROR
            )
        answer = await _asked(ask, build_origin_request(behaviour, request, entry))
        if answer.status == 304 and entry:
            confirmed = replace(entry.response, headers=replace_headers(entry.response.headers, *answer.headers))
            self._keep(key, confirmed, made, behaviour)
            return _from_cache(CacheEntry(confirmed, time.time(), 0, 0), REFRESHED, request, time.time())
        stale = self._instead(answer, entry, request, now)
        self._keep(key, answer, made, behaviour)
        return stale or _marked(_unless_held(answer, request), MISS if answer.status < 400 else ERROR)

    def _instead(self, answer: Response, entry: CacheEntry | None, request: Request, now: float) -> Response | None:
        """What is given, stale, instead of an answer that is no answer; what the origin refuses, it has answered."""
        if answer.status < 500 or entry is None or not entry.is_usable_when_stale(now):
            return None
        log_event("stale", age=int(now - entry.validated_at), method=request.method)
        return _from_cache(entry, REFRESHED, request, now)

    def _keep(self, key: Hashable, answer: Response, made: Distribution, behaviour: CacheBehaviour) -> None:
        now = time.time()
        seconds = compute_ttl(answer, behaviour.cache_policy, made.error_ttl_seconds, now)
        if answer.status >= 400:
            if answer.status in {404, 410}:
                self._kept.remove(key)
            if seconds is not None:
                self._kept.put(("error", key), CacheEntry(answer, now, now + seconds, 0))
        elif seconds is not None:
            until = now + seconds
            self._kept.put(
                key, CacheEntry(answer, now, until, until + compute_stale_seconds(answer, behaviour.cache_policy))
            )
        elif answer.status < 300:
            self._kept.remove(key)


def _refused(made: Distribution, request: Request) -> Response | None:
    if not made.enabled:
        return _own(403, "The distribution is disabled.")
    if len(request.target) > MAX_URL_LENGTH:
        return _own(414, "The address is too long.")
    if len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers) > MAX_HEADERS_LENGTH:
        return _own(413, "The headers are too large.")
    if request.method in {"GET", "HEAD"} and request.body:
        return _own(403, "A request to read has no body.")
    return None


async def _asked(ask: OriginFetcher, request: Request) -> Response:
    try:
        return await ask(request)
    except OriginUnreachable as failure:
        return build_gateway_error(failure)


def _from_cache(entry: CacheEntry, how: str, request: Request, now: float) -> Response:
    return _marked(_unless_held(entry.response.with_headers(entry.build_age_header(now)), request), how)


def _unless_held(answer: Response, request: Request) -> Response:
    """Not modified, where the viewer has it already."""
    etag, held = answer.get_header("etag"), request.get_header("if-none-match")
    if answer.status != 200 or etag is None or held is None:
        return answer
    tags = {tag.strip().removeprefix("W/") for tag in held.split(",")}
    if etag.removeprefix("W/") not in tags and "*" not in tags:
        return answer
    return Response(304, remove_headers(answer.headers, frozenset({"content-type", "content-encoding"})))


def _marked(answer: Response, how: str) -> Response:
    return answer.with_headers(
        ("x-cache", f"{how} from cloudfront"), ("via", "1.1 edge.local (CloudFront)"), ("x-amz-cf-id", uuid4().hex)
    )


def _own(status: int, text: str) -> Response:
    return Response(status, [("content-type", "text/plain"), ("server", "CloudFront")], text.encode())


_CONDITIONS = frozenset({"if-none-match", "if-modified-since", "if-match", "if-unmodified-since", "if-range"})


def build_origin_request(behaviour: CacheBehaviour, request: Request, entry: CacheEntry | None = None) -> Request:
    """The request to the origin; with an entry, it asks whether that still holds."""
    origin, known, forwarded = behaviour.origin, behaviour.cache_policy.key_parts, behaviour.forwarded_parts
    both = replace(
        known,
        includes_query=lambda name: known.includes_query(name) or forwarded.includes_query(name),
        includes_cookie=lambda name: known.includes_cookie(name) or forwarded.includes_cookie(name),
    )
    headers: Headers = [
        (name, value)
        for name, value in remove_headers(
            request.headers, frozenset({"host", "cookie", "user-agent", "content-length"})
        )
        if known.includes_header(name) or forwarded.includes_header(name) or name == "content-type"
    ]
    agent = (
        request.get_header("user-agent")
        if known.includes_header("user-agent") or forwarded.includes_header("user-agent")
        else None
    )
    came = ", ".join(part for part in (request.get_header("x-forwarded-for"), request.client_address) if part)
    added = [
        ("user-agent", agent or "Amazon CloudFront"),
        ("x-forwarded-for", came),
        ("via", "1.1 edge.local (CloudFront)"),
        ("x-amz-cf-id", uuid4().hex),
    ]
    if behaviour.cache_policy.encodings:
        headers = remove_headers(headers, frozenset({"accept-encoding"}))
        added += (
            [("accept-encoding", encoding)] if (encoding := behaviour.cache_policy.normalise_encoding(request)) else []
        )
    added += [("cookie", cookie)] if (cookie := both.select_cookies(request)) else []
    if entry:
        headers = remove_headers(headers, _CONDITIONS)
        added += _condition(entry)
    return replace(
        request,
        path=origin.path + request.path,
        query=both.select_query(request),
        headers=replace_headers(headers, *added, *origin.custom_headers),
        client_address="127.0.0.1",
    )


def _condition(entry: CacheEntry) -> Headers:
    etag, modified = entry.response.get_header("etag"), entry.response.get_header("last-modified")
    return [
        *([("if-none-match", etag)] if etag else []),
        *([("if-modified-since", modified)] if modified else []),
    ]
