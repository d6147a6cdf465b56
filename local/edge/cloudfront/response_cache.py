"""The response cache of CloudFront: entries, and how long each may be used."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from local.edge.cloudfront.policies import CachePolicy
from local.edge.http_messages import Response

# What is kept as an answer like any other, and which errors are kept: always, and only when the origin gives them an
# age.
CACHEABLE_STATUSES = frozenset({200, 203, 204, 206, 300, 301, 302, 307, 308})


CACHEABLE_ERRORS = frozenset({404, 414, 500, 501, 502, 503, 504})


CACHEABLE_ERRORS_WITH_AGE = frozenset({400, 403, 405, 412, 415})


# Errors that the origin can keep from being kept.
_MAY_REFUSE = frozenset({404, 414, 501})


DEFAULT_ERROR_TTL_SECONDS = 10


@dataclass(frozen=True)
class CacheControl:
    """What an answer's Cache-Control says."""

    directives: dict[str, str]

    @classmethod
    def parse_response(cls, answer: Response) -> "CacheControl":
        found: dict[str, str] = {}
        for part in (answer.get_header("cache-control") or "").split(","):
            name, _, value = part.strip().partition("=")
            if name:
                found.setdefault(name.lower(), value.strip('"'))
        return cls(found)

    @property
    def forbids_caching(self) -> bool:
        """Whether a shared cache may not keep it, or not use it without asking."""
        return not {"no-store", "no-cache", "private"}.isdisjoint(self.directives)

    def get_seconds(self, *names: str) -> int | None:
        """The first of these directives that has a number."""
        for name in names:
            if self.directives.get(name, "").isdigit():
                return int(self.directives[name])
        return None


def compute_ttl(answer: Response, policy: CachePolicy, errors: dict[int, int], now: float) -> float | None:
    """For how many seconds an answer is fresh, or None when it is not kept. `errors` has the minimum for each status of
    an error that the distribution sets, `now` is seconds since the epoch."""
    directives = CacheControl.parse_response(answer)
    aged = _age(answer, directives, now)
    if answer.status in CACHEABLE_STATUSES:
        return _bounded(directives, aged, policy)
    if answer.status in CACHEABLE_ERRORS or (answer.status in CACHEABLE_ERRORS_WITH_AGE and aged is not None):
        if directives.forbids_caching and answer.status in _MAY_REFUSE:
            return None
        least = errors.get(answer.status, DEFAULT_ERROR_TTL_SECONDS)
        seconds = max(least, min(aged, policy.max_ttl) if aged is not None else 0)
        return seconds or None
    return None


def _age(answer: Response, directives: CacheControl, now: float) -> float | None:
    seconds = directives.get_seconds("s-maxage", "max-age")
    if seconds is not None:
        return seconds
    expires = answer.get_header("expires")
    if expires is None:
        return None
    try:
        return max(parsedate_to_datetime(expires).timestamp() - now, 0)
    except ValueError:
        return 0


def _bounded(directives: CacheControl, aged: float | None, policy: CachePolicy) -> float | None:
    if policy.max_ttl == 0:
        return None  # caching disabled
    if directives.forbids_caching:
        return policy.min_ttl or None
    if aged is None:
        return max(policy.default_ttl, policy.min_ttl)
    return min(max(aged, policy.min_ttl), policy.max_ttl)


def compute_stale_seconds(answer: Response, policy: CachePolicy) -> float:
    """For how many seconds after its freshness an answer may be given while the origin has none: what stale-if-error
    says, at most the maximum; and where it says nothing, as long as it is kept."""
    seconds = CacheControl.parse_response(answer).get_seconds("stale-if-error")
    return policy.max_ttl if seconds is None else min(seconds, policy.max_ttl)


MAX_ENTRIES = 5_000


MAX_CACHED_BODY_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True)
class CacheEntry:
    """Times are seconds since the epoch."""

    response: Response
    validated_at: float
    """When the origin gave it, or confirmed it last."""
    fresh_until: float
    """How long it is fresh."""
    stale_until: float
    """How long it may be given while the origin has no answer."""

    def is_fresh(self, now: float) -> bool:
        return now < self.fresh_until

    def is_usable_when_stale(self, now: float) -> bool:
        return now < self.stale_until

    def build_age_header(self, now: float) -> tuple[str, str]:
        return "age", str(int(now - self.validated_at))


class ResponseCache:
    """Errors are kept apart from what they are errors of: they do not take its place."""

    def __init__(self) -> None:
        self._entries: OrderedDict[Hashable, CacheEntry] = OrderedDict()

    def get(self, key: Hashable) -> CacheEntry | None:
        entry = self._entries.get(key)
        if entry is not None:
            self._entries.move_to_end(key)
        return entry

    def put(self, key: Hashable, entry: CacheEntry) -> None:
        if len(entry.response.body) > MAX_CACHED_BODY_BYTES:
            return
        self._entries[key] = entry
        self._entries.move_to_end(key)
        while len(self._entries) > MAX_ENTRIES:
            self._entries.popitem(last=False)

    def remove(self, key: Hashable) -> None:
        self._entries.pop(key, None)
