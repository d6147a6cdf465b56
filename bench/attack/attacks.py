"""The attacks: each payload of the lists in each place of a request where a client's values go, and requests that break
the protocol or are too large."""

from collections.abc import Iterator

from bench.attack import lists
from bench.attack.sent import JSON, PLACES, Sent

# Of the long lists of traversals so many, spread over the whole.
TRAVERSALS = 200

TOO_LONG = (2_100, 4_000, 7_000, 9_000, 20_000, 40_000)
"""Bytes of a query string: AWS's common rules take 2,048."""
TOO_LARGE = (10_000_001, 10_200_000, 10_485_000)
"""Bytes of a body: the template's largest is 9,999,999, told by its digits."""


def attacks(most: int | None = None) -> list[Sent]:
    """All of them, or about `most`, spread over the whole. Raises LocalError when the lists cannot be had."""
    found = [*_injections(), *_protocol(), *_oversized()]
    step = 1 if most is None else max(1, len(found) // most)
    return found[::step]


def _injections() -> Iterator[Sent]:
    traversals = lists.traversals()
    kinds = {
        "sql": lists.sql_injections(),
        "script": lists.scripts(),
        "traversal": traversals[:: max(1, len(traversals) // TRAVERSALS)],
    }
    for kind, payloads in kinds.items():
        for payload in payloads:
            for place in PLACES:
                yield place(kind, payload)


def _protocol() -> Iterator[Sent]:
    for method in lists.methods():
        yield Sent("protocol", method, "/v1/airports")
    for target in ("/v1/airports", "/v1/airports/EDDF", "/v1/bookings"):
        splitting = "%0d%0aSet-Cookie:%20session=1", "%0d%0aLocation:%20http://example.com/%0d%0a%0d%0a<html>"
        for part in splitting:
            yield Sent("protocol", "GET", f"{target}?limit=10{part}")
        yield Sent("protocol", "GET", f"{target}?limit=1%00")
        yield Sent("protocol", "GET", target, {"Content-Length": "3"}, b"a=1")
        yield Sent("protocol", "POST", target, {"Content-Type": "application/x-www-form-urlencoded"}, b"a=1&b=2")
        yield Sent("protocol", "POST", target, {"Content-Type": "text/xml"}, b"<a/>")
        yield Sent("protocol", "GET", target, {"Range": "bytes=" + ",".join(f"{n}-{n + 1}" for n in range(0, 60, 2))})


def _oversized() -> Iterator[Sent]:
    for size in TOO_LONG:
        yield Sent("oversized", "GET", f"/v1/airports?after={'a' * size}")
        yield Sent("oversized", "GET", f"/v1/airports/{'a' * size}")
        yield Sent("oversized", "GET", "/v1/airports", {"Cookie": f"session={'a' * (10_300 + size)}"})
    for size in TOO_LARGE:
        yield Sent("oversized", "POST", "/v1/bookings", {"Content-Type": JSON}, b'{"notes":"' + b"a" * size + b'"}')
