"""How long CloudFront keeps an answer and may give it, by what the origin says and the cache policy's bounds."""

from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from local.edge.messages import Response
from local.edge.policies import CachePolicy

# What is kept as an answer like any other, and which errors are kept: always, and only when the origin gives them an
# age.
KEPT = frozenset({200, 203, 204, 206, 300, 301, 302, 307, 308})
KEPT_ERRORS = frozenset({404, 414, 500, 501, 502, 503, 504})
KEPT_IF_AGED = frozenset({400, 403, 405, 412, 415})
# Errors that the origin can keep from being kept.
_MAY_REFUSE = frozenset({404, 414, 501})

ERROR_SECONDS = 10


@dataclass(frozen=True)
class Directives:
    """What an answer's Cache-Control says."""

    given: dict[str, str]

    @classmethod
    def of(cls, answer: Response) -> "Directives":
        found: dict[str, str] = {}
        for part in (answer.header("cache-control") or "").split(","):
            name, _, value = part.strip().partition("=")
            if name:
                found.setdefault(name.lower(), value.strip('"'))
        return cls(found)

    @property
    def refuses(self) -> bool:
        """Whether a shared cache may not keep it, or not use it without asking."""
        return not {"no-store", "no-cache", "private"}.isdisjoint(self.given)

    def seconds(self, *names: str) -> int | None:
        """The first of these directives that has a number."""
        for name in names:
            if self.given.get(name, "").isdigit():
                return int(self.given[name])
        return None


def time_to_live(answer: Response, policy: CachePolicy, errors: dict[int, int], now: float) -> float | None:
    """For how many seconds an answer is fresh, or None when it is not kept. `errors` has the minimum for each status of
    an error that the distribution sets, `now` is seconds since the epoch."""
    directives = Directives.of(answer)
    aged = _age(answer, directives, now)
    if answer.status in KEPT:
        return _bounded(directives, aged, policy)
    if answer.status in KEPT_ERRORS or (answer.status in KEPT_IF_AGED and aged is not None):
        if directives.refuses and answer.status in _MAY_REFUSE:
            return None
        least = errors.get(answer.status, ERROR_SECONDS)
        seconds = max(least, min(aged, policy.maximum) if aged is not None else 0)
        return seconds or None
    return None


def _age(answer: Response, directives: Directives, now: float) -> float | None:
    seconds = directives.seconds("s-maxage", "max-age")
    if seconds is not None:
        return seconds
    expires = answer.header("expires")
    if expires is None:
        return None
    try:
        return max(parsedate_to_datetime(expires).timestamp() - now, 0)
    except ValueError:
        return 0


def _bounded(directives: Directives, aged: float | None, policy: CachePolicy) -> float | None:
    if policy.maximum == 0:
        return None  # caching disabled
    if directives.refuses:
        return policy.minimum or None
    if aged is None:
        return max(policy.default, policy.minimum)
    return min(max(aged, policy.minimum), policy.maximum)


def may_be_stale(answer: Response, policy: CachePolicy) -> float:
    """For how many seconds after its freshness an answer may be given while the origin has none: what stale-if-error
    says, at most the maximum; and where it says nothing, as long as it is kept."""
    seconds = Directives.of(answer).seconds("stale-if-error")
    return policy.maximum if seconds is None else min(seconds, policy.maximum)
