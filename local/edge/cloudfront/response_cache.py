"""The response cache of CloudFront: its entries, how long each is fresh, and how long it may be used when stale."""

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from local.edge.cloudfront.policies import CachePolicy
from local.edge.http_messages import Response

MAX_ENTRIES = 5_000
MAX_CACHED_BODY_BYTES = 2 * 1024 * 1024

CACHEABLE_STATUSES = frozenset({200, 203, 204, 206, 300, 301, 302, 307, 308})
# CloudFront caches these errors always, and those below only if the origin sends an age.
CACHEABLE_ERRORS = frozenset({404, 414, 500, 501, 502, 503, 504})
CACHEABLE_ERRORS_WITH_AGE = frozenset({400, 403, 405, 412, 415})
# Cache-Control can forbid CloudFront to cache these errors only.
_ERRORS_WITH_CACHE_CONTROL = frozenset({404, 414, 501})

DEFAULT_ERROR_TTL_SECONDS = 10


@dataclass(frozen=True)
class CacheEntry:
    """A cached response. Times are seconds since the epoch.

    `validated_at` is when the origin sent or last confirmed the response. The entry is fresh until `fresh_until`, and
    usable until `stale_until` while the origin fails.
    """

    response: Response
    validated_at: float
    fresh_until: float
    stale_until: float

    def is_fresh(self, now: float) -> bool:
        return now < self.fresh_until

    def is_usable_when_stale(self, now: float) -> bool:
        return now < self.stale_until

    def build_age_header(self, now: float) -> tuple[str, str]:
        return "age", str(int(now - self.validated_at))


class ResponseCache:
    """Entries by key; it removes the least recently used entry first. Errors have keys of their own, so that an error
    does not replace the response that it stands for."""

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


@dataclass(frozen=True)
class CacheControl:
    """The directives of a Cache-Control header by name."""

    directives: dict[str, str]

    @classmethod
    def parse_response(cls, response: Response) -> "CacheControl":
        directives: dict[str, str] = {}
        for part in (response.get_header("cache-control") or "").split(","):
            name, _, value = part.strip().partition("=")
            if name:
                directives.setdefault(name.lower(), value.strip('"'))
        return cls(directives)

    @property
    def forbids_caching(self) -> bool:
        """Whether a shared cache may not store the response, or not use it without validation."""
        return not {"no-store", "no-cache", "private"}.isdisjoint(self.directives)

    def get_seconds(self, *names: str) -> int | None:
        """The number of the first of these directives that has one."""
        for name in names:
            if self.directives.get(name, "").isdigit():
                return int(self.directives[name])
        return None


def compute_ttl(response: Response, policy: CachePolicy, error_ttl_seconds: dict[int, int], now: float) -> float | None:
    """For how many seconds a response is fresh, or None if CloudFront does not cache it.

    `error_ttl_seconds` has the minimum TTL of the distribution by error status; `now` is seconds since the epoch.
    """
    cache_control = CacheControl.parse_response(response)
    max_age = _compute_max_age(response, cache_control, now)
    if response.status in CACHEABLE_STATUSES:
        return _apply_policy_bounds(cache_control, max_age, policy)
    if response.status in CACHEABLE_ERRORS or (response.status in CACHEABLE_ERRORS_WITH_AGE and max_age is not None):
        if cache_control.forbids_caching and response.status in _ERRORS_WITH_CACHE_CONTROL:
            return None
        min_ttl = error_ttl_seconds.get(response.status, DEFAULT_ERROR_TTL_SECONDS)
        ttl = max(min_ttl, min(max_age, policy.max_ttl) if max_age is not None else 0)
        return ttl or None
    return None


def _compute_max_age(response: Response, cache_control: CacheControl, now: float) -> float | None:
    seconds = cache_control.get_seconds("s-maxage", "max-age")
    if seconds is not None:
        return seconds
    expires = response.get_header("expires")
    if expires is None:
        return None
    try:
        return max(parsedate_to_datetime(expires).timestamp() - now, 0)
    except ValueError:
        return 0


def _apply_policy_bounds(cache_control: CacheControl, max_age: float | None, policy: CachePolicy) -> float | None:
    if policy.max_ttl == 0:
        return None  # caching is disabled
    if cache_control.forbids_caching:
        return policy.min_ttl or None
    if max_age is None:
        return max(policy.default_ttl, policy.min_ttl)
    return min(max(max_age, policy.min_ttl), policy.max_ttl)


def compute_stale_seconds(response: Response, policy: CachePolicy) -> float:
    """For how many seconds after its freshness a response may be used while the origin fails: `stale-if-error`, at
    most the maximum TTL; the maximum TTL without that directive."""
    seconds = CacheControl.parse_response(response).get_seconds("stale-if-error")
    return policy.max_ttl if seconds is None else min(seconds, policy.max_ttl)
