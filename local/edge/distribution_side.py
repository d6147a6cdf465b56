"""The distribution's address: web ACL, behaviour, cache, origin, in CloudFront's order."""

import time
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import replace
from uuid import uuid4

from local.edge.distribution import Behaviour, Distribution
from local.edge.forwarding import Unreachable
from local.edge.freshness import may_be_stale, time_to_live
from local.edge.journal import told
from local.edge.kept import Entry, Kept
from local.edge.messages import Request, Response, with_headers, without
from local.edge.origin_request import for_origin
from local.edge.stage_side import unreachable
from local.edge.web_acl import WebAcl

LONGEST_URL = 8_192
LARGEST_HEAD = 20_480

Ask = Callable[[Request], Awaitable[Response]]
"""Asks the origin. Raises Unreachable."""

HIT, REFRESHED, MISS, ERROR = "Hit", "RefreshHit", "Miss", "Error"


class DistributionSide:
    def __init__(self) -> None:
        self._kept = Kept()

    async def answer(self, made: Distribution, acl: WebAcl | None, ask: Ask, request: Request) -> Response:
        """The answer to a viewer. `ask` reaches the origin."""
        refused = _refused(made, request)
        if refused:
            return _marked(refused, ERROR)
        blocked = acl.judge(request, time.monotonic()) if acl else None
        if blocked:
            told("blocked", side="distribution", rule=blocked.rule, matched=blocked.matched, method=request.method)
            return _marked(blocked.answer or _own(403, "Request blocked."), ERROR)
        behaviour = made.behaviour(request.path)
        if request.method not in behaviour.methods:
            return _marked(_own(403, "This distribution does not allow the method."), ERROR)
        if request.method in behaviour.cached_methods and request.method != "OPTIONS" and not request.header("range"):
            return behaviour.headers(await self._cached(made, behaviour, ask, request))
        answer = await _asked(ask, for_origin(behaviour, request))
        return behaviour.headers(_marked(answer, MISS if answer.status < 400 else ERROR))

    async def _cached(self, made: Distribution, behaviour: Behaviour, ask: Ask, request: Request) -> Response:
        key: Hashable = (request.method, behaviour.policy.key(request))
        now = time.time()
        entry, error = self._kept.get(key), self._kept.get(("error", key))
        if entry and entry.fresh(now):
            return _from_cache(entry, HIT, request, now)
        if error and error.fresh(now):
            return self._instead(error.answer, entry, request, now) or _marked(
                error.answer.with_headers(error.age(now)), ERROR
            )
        answer = await _asked(ask, for_origin(behaviour, request, entry))
        if answer.status == 304 and entry:
            confirmed = replace(entry.answer, headers=with_headers(entry.answer.headers, *answer.headers))
            self._keep(key, confirmed, made, behaviour)
            return _from_cache(Entry(confirmed, time.time(), 0, 0), REFRESHED, request, time.time())
        stale = self._instead(answer, entry, request, now)
        self._keep(key, answer, made, behaviour)
        return stale or _marked(_unless_held(answer, request), MISS if answer.status < 400 else ERROR)

    def _instead(self, answer: Response, entry: Entry | None, request: Request, now: float) -> Response | None:
        """What is given, stale, instead of an answer that is no answer; what the origin refuses, it has answered."""
        if answer.status < 500 or entry is None or not entry.usable(now):
            return None
        told("stale", age=int(now - entry.since), method=request.method)
        return _from_cache(entry, REFRESHED, request, now)

    def _keep(self, key: Hashable, answer: Response, made: Distribution, behaviour: Behaviour) -> None:
        now = time.time()
        seconds = time_to_live(answer, behaviour.policy, made.errors, now)
        if answer.status >= 400:
            if answer.status in {404, 410}:
                self._kept.drop(key)
            if seconds is not None:
                self._kept.put(("error", key), Entry(answer, now, now + seconds, 0))
        elif seconds is not None:
            until = now + seconds
            self._kept.put(key, Entry(answer, now, until, until + may_be_stale(answer, behaviour.policy)))
        elif answer.status < 300:
            self._kept.drop(key)


def _refused(made: Distribution, request: Request) -> Response | None:
    if not made.enabled:
        return _own(403, "The distribution is disabled.")
    if len(request.target) > LONGEST_URL:
        return _own(414, "The address is too long.")
    if len(request.target) + sum(len(name) + len(value) + 4 for name, value in request.headers) > LARGEST_HEAD:
        return _own(413, "The headers are too large.")
    if request.method in {"GET", "HEAD"} and request.body:
        return _own(403, "A request to read has no body.")
    return None


async def _asked(ask: Ask, request: Request) -> Response:
    try:
        return await ask(request)
    except Unreachable as failure:
        return unreachable(failure)


def _from_cache(entry: Entry, how: str, request: Request, now: float) -> Response:
    return _marked(_unless_held(entry.answer.with_headers(entry.age(now)), request), how)


def _unless_held(answer: Response, request: Request) -> Response:
    """Not modified, where the viewer has it already."""
    etag, held = answer.header("etag"), request.header("if-none-match")
    if answer.status != 200 or etag is None or held is None:
        return answer
    tags = {tag.strip().removeprefix("W/") for tag in held.split(",")}
    if etag.removeprefix("W/") not in tags and "*" not in tags:
        return answer
    return Response(304, without(answer.headers, frozenset({"content-type", "content-encoding"})))


def _marked(answer: Response, how: str) -> Response:
    return answer.with_headers(
        ("x-cache", f"{how} from cloudfront"), ("via", "1.1 edge.local (CloudFront)"), ("x-amz-cf-id", uuid4().hex)
    )


def _own(status: int, text: str) -> Response:
    return Response(status, [("content-type", "text/plain"), ("server", "CloudFront")], text.encode())
