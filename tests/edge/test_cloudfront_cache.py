"""CloudFront's cache: what it stores and for how long, the cache key, and what the viewer gets."""

import time

import pytest

from local.edge.api_stage import OriginUnreachable
from local.edge.cloudfront.policies import parse_cache_policy
from local.edge.cloudfront.response_cache import compute_stale_seconds, compute_ttl
from local.edge.http_messages import Response
from tests.edge.distributions import (
    Origin,
    Overrides,
    Viewer,
    build_cache_policy,
    build_distribution,
    build_list,
    build_response,
)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The current time in seconds since the epoch; a test can advance it."""
    now = [time.time()]
    monkeypatch.setattr(time, "time", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("control", "bounds", "seconds"),
    [
        ("max-age=60", (0, 0, 3600), 60),
        ("max-age=60, s-maxage=30", (0, 0, 3600), 30),
        ("max-age=9999", (0, 0, 3600), 3600),
        ("max-age=5", (10, 10, 3600), 10),
        ("", (0, 20, 3600), 20),
        ("", (30, 20, 3600), 30),
        ("", (0, 0, 3600), 0),
        ("no-cache", (0, 20, 3600), None),
        ("private, max-age=60", (0, 20, 3600), None),
        ("no-store", (0, 20, 3600), None),
        ("private", (7, 20, 3600), 7),
        ("max-age=60", (0, 0, 0), None),
        ("max-age=0", (0, 20, 3600), 0),
    ],
)
def test_ttl_of_a_response(control: str, bounds: tuple[int, int, int], seconds: float | None) -> None:
    assert compute_ttl(build_response(control), parse_cache_policy(build_cache_policy(*bounds)), {}, 0) == seconds


@pytest.mark.parametrize(
    ("status", "control", "errors", "seconds"),
    [
        (404, "", {}, 10),
        (404, "", {404: 0}, None),
        (404, "max-age=60", {404: 0}, 60),
        (404, "no-store", {404: 30}, None),
        (503, "no-store", {}, 10),
        (503, "no-store", {503: 0}, None),
        (400, "", {}, None),
        (400, "max-age=9", {}, 10),
        (401, "max-age=60", {}, None),
        (429, "", {}, None),
        (425, "", {}, None),
    ],
)
def test_ttl_of_an_error(status: int, control: str, errors: dict[int, int], seconds: float | None) -> None:
    assert (
        compute_ttl(build_response(control, status=status), parse_cache_policy(build_cache_policy()), errors, 0)
        == seconds
    )


def test_how_long_a_stale_response_is_usable() -> None:
    bounds = parse_cache_policy(build_cache_policy(maximum=100))
    seconds = [
        compute_stale_seconds(build_response(control), bounds)
        for control in ("stale-if-error=7", "stale-if-error=700", "max-age=0", "stale-if-error=0")
    ]
    assert seconds == [7, 100, 100, 0]


def test_a_fresh_response_is_served_from_the_cache(clock: list[float]) -> None:
    origin = Origin(build_response("max-age=60"), build_response("max-age=60", b"two"))
    viewer = Viewer(origin)
    responses = [viewer.send() for _ in range(2)]
    clock[0] += 59
    responses.append(viewer.send())
    assert [(response.body, response.get_header("x-cache")) for response in responses] == [
        (b"one", "Miss from cloudfront"),
        (b"one", "Hit from cloudfront"),
        (b"one", "Hit from cloudfront"),
    ]
    assert (responses[0].get_header("age"), responses[2].get_header("age")) == (None, "59")
    clock[0] += 2
    assert viewer.send().body == b"two"


def test_a_stale_response_is_validated_at_the_origin(clock: list[float]) -> None:
    origin = Origin(
        build_response("max-age=0"),
        Response(304, [("cache-control", "max-age=30"), ("etag", '"1"')]),
        build_response("max-age=0", b"two", '"2"'),
    )
    viewer = Viewer(origin)
    viewer.send(if_none_match='"mine"')
    validated = viewer.send(if_none_match='"mine"')
    assert (validated.status, validated.body, validated.get_header("x-cache")) == (
        200,
        b"one",
        "RefreshHit from cloudfront",
    )
    assert (origin.requests[0].get_header("if-none-match"), origin.requests[1].get_header("if-none-match")) == (
        '"mine"',
        '"1"',
    )
    assert viewer.send().get_header("x-cache") == "Hit from cloudfront"
    clock[0] += 31
    assert viewer.send().body == b"two"


def test_a_viewer_with_a_current_copy_gets_304() -> None:
    viewer = Viewer(Origin(build_response("max-age=60")))
    viewer.send()
    for if_none_match in ('"1"', 'W/"1"', '"0", "1"', "*"):
        response = viewer.send(if_none_match=if_none_match)
        assert (response.status, response.body, response.get_header("etag")) == (304, b"", '"1"')
    assert viewer.send(if_none_match='"2"').status == 200


@pytest.mark.parametrize(
    "forwarding",
    [
        {"viewer": {"CookiesConfig": {"CookieBehavior": "all"}}},
        {"viewer": {"CookiesConfig": {"CookieBehavior": "whitelist", "Cookies": build_list("a")}}},
        {"cache": build_cache_policy(CookiesConfig={"CookieBehavior": "all"})},
    ],
    ids=["all", "a subset", "in the cache key"],
)
def test_where_cookies_are_forwarded_no_request_is_conditional(forwarding: Overrides) -> None:
    origin = Origin(build_response("max-age=0"))
    viewer = Viewer(origin, build_distribution(**forwarding))
    statuses = [viewer.send(if_none_match='"1"', cookie="a=b").status for _ in range(2)]
    assert statuses == [200, 200]
    assert [(request.get_header("if-none-match"), request.get_header("cookie")) for request in origin.requests] == [
        (None, "a=b")
    ] * 2


@pytest.mark.parametrize(
    "failure",
    [
        build_response("no-store", b"unavailable", status=503),
        OriginUnreachable(timed_out=True),
        OriginUnreachable(timed_out=False),
    ],
    ids=str,
)
def test_a_stale_response_is_served_while_the_origin_fails(
    clock: list[float], failure: Response | OriginUnreachable
) -> None:
    viewer = Viewer(
        Origin(build_response("max-age=0, stale-if-error=100"), failure),
        build_distribution(errors=({"ErrorCode": 503, "ErrorCachingMinTTL": 0},)),
    )
    viewer.send()
    clock[0] += 99
    stale = viewer.send()
    assert (stale.status, stale.body, stale.get_header("age"), stale.get_header("x-cache")) == (
        200,
        b"one",
        "99",
        "RefreshHit from cloudfront",
    )
    clock[0] += 2
    assert viewer.send().status >= 500


@pytest.mark.parametrize("control", ["private, no-cache, stale-if-error=0", "max-age=0, stale-if-error=0", "no-store"])
def test_an_error_is_not_hidden_if_the_response_may_not_be_stale(control: str) -> None:
    viewer = Viewer(Origin(build_response(control), build_response("no-store", b"unavailable", status=503)))
    viewer.send()
    response = viewer.send()
    assert (response.status, response.get_header("x-cache")) == (503, "Error from cloudfront")


def test_a_client_error_is_neither_hidden_nor_cached() -> None:
    origin = Origin(
        build_response("max-age=0, stale-if-error=100"), Response(401), Response(401), build_response("max-age=0")
    )
    viewer = Viewer(origin)
    assert [viewer.send().status for _ in range(4)] == [200, 401, 401, 200]


def test_a_cached_client_error_is_not_hidden_by_an_older_response() -> None:
    client_error = build_response("max-age=60", status=403)
    viewer = Viewer(Origin(build_response("max-age=0, stale-if-error=100"), client_error))
    assert [viewer.send().status for _ in range(3)] == [200, 403, 403]


def test_a_response_is_not_served_stale_after_a_404() -> None:
    errors = ({"ErrorCode": 404, "ErrorCachingMinTTL": 0},)
    viewer = Viewer(
        Origin(build_response("max-age=0, stale-if-error=100"), Response(404), Response(503)),
        build_distribution(errors=errors),
    )
    assert [viewer.send().status for _ in range(3)] == [200, 404, 503]


def test_errors_are_cached_for_ten_seconds_by_default(clock: list[float]) -> None:
    origin = Origin(Response(404), build_response("max-age=0"))
    viewer = Viewer(origin)
    assert [viewer.send("/other").status for _ in range(2)] == [
        404,
        404,
    ]  # also in the behaviour that caches nothing else
    clock[0] += 11
    assert viewer.send("/other").status == 200


def test_the_cache_key() -> None:
    origin = Origin(build_response("max-age=60"))
    viewer = Viewer(origin)
    differing: list[dict[str, str]] = [
        {},
        {"target": "/v1/airports?limit=1"},
        {"target": "/v1/airports?limit=2"},
        {"target": "/v1/airports/EDDF"},
        {"authorization": "Bearer a"},
        {"authorization": "Bearer b"},
        {"accept_encoding": "gzip"},
        {"accept_encoding": "br, gzip"},
    ]
    for request in differing * 2:
        viewer.send(**request)
    assert len(origin.requests) == len(differing)
    for ignored in (
        {"accept_language": "is"},
        {"cookie": "a=b"},
        {"accept_encoding": "zstd"},
        {"cache_control": "no-cache"},
    ):
        viewer.send(**ignored)
    assert len(origin.requests) == len(differing)
