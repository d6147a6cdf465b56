"""CloudFront's cache: what is kept, for how long, by what it is known, what the origin gets, what the viewer gets."""

import asyncio
import re
import time
from typing import Any

import pytest

from local.edge.distribution import Distribution, distribution
from local.edge.distribution_side import DistributionSide
from local.edge.forwarding import Unreachable
from local.edge.freshness import may_be_stale, time_to_live
from local.edge.messages import Request, Response
from local.edge.policies import cache_policy
from local.edge.refusal import NotUnderstood
from tests.edge.acls import request

Change = dict[str, Any]
ALL = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]


def _list(*items: Any) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": list(items)}


def _parts(headers: tuple[str, ...] = (), queries: str = "all", **more: Any) -> dict[str, Any]:
    return {
        "HeadersConfig": {"HeaderBehavior": "whitelist" if headers else "none", "Headers": _list(*headers)},
        "QueryStringsConfig": {"QueryStringBehavior": queries, "QueryStrings": _list("limit")},
        "CookiesConfig": {"CookieBehavior": "none"},
        **more,
    }


def policy(minimum: int = 0, default: int = 0, maximum: int = 3600, **parts: Any) -> Change:
    key = _parts(("Authorization",), EnableAcceptEncodingGzip=True, EnableAcceptEncodingBrotli=True) | parts
    return {
        "MinTTL": minimum,
        "DefaultTTL": default,
        "MaxTTL": maximum,
        "ParametersInCacheKeyAndForwardedToOrigin": key,
    }


VIEWER = {**_parts(), "HeadersConfig": {"HeaderBehavior": "allExcept", "Headers": _list("Host")}}
VIEWER["CookiesConfig"] = {"CookieBehavior": "all"}
SECURITY = {
    "SecurityHeadersConfig": {
        "StrictTransportSecurity": {"AccessControlMaxAgeSec": 60, "IncludeSubdomains": True, "Override": True},
        "ContentSecurityPolicy": {"ContentSecurityPolicy": "default-src 'none'", "Override": False},
    }
}


def made(
    cache: Change | None = None, errors: tuple[dict[str, int], ...] = (), behaviour: Change | None = None, **more: Any
) -> Distribution:
    common = {
        "TargetOriginId": "api",
        "ViewerProtocolPolicy": "https-only",
        "AllowedMethods": _list(*ALL),
        "OriginRequestPolicyId": "viewer",
        "ResponseHeadersPolicyId": "security",
    }
    origin = {
        "Id": "api",
        "DomainName": "abc123.execute-api.us-east-1.amazonaws.com",
        "OriginPath": "/live",
        "CustomHeaders": _list({"HeaderName": "X-Origin-Verify", "HeaderValue": "secret"}),
    }
    given = {
        "Enabled": True,
        "Origins": _list(origin),
        "CacheBehaviors": _list({**common, "PathPattern": "/v1/*", "CachePolicyId": "cache", **(behaviour or {})}),
        "DefaultCacheBehavior": {**common, "CachePolicyId": "none"},
        "CustomErrorResponses": _list(*errors),
        **more,
    }
    off = policy(maximum=0)
    return distribution(given, {"cache": cache or policy(), "none": off, "viewer": VIEWER, "security": SECURITY})


class Origin:
    """Answers in their order, then the last one again; remembers what it was asked."""

    def __init__(self, *answers: Response | Exception) -> None:
        self._answers = list(answers)
        self.asked: list[Request] = []

    async def ask(self, asked: Request) -> Response:
        self.asked.append(asked)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def kept(control: str, body: bytes = b"one", etag: str = '"1"', status: int = 200) -> Response:
    return Response(status, [("cache-control", control), ("etag", etag), ("content-type", "application/json")], body)


class Viewer:
    def __init__(self, origin: Origin, configured: Distribution | None = None) -> None:
        self._side, self._origin, self._configured = DistributionSide(), origin, configured or made()

    def asks(self, target: str = "/v1/airports", method: str = "GET", **headers: Any) -> Response:
        return asyncio.run(
            self._side.answer(self._configured, None, self._origin.ask, request(target, method, **headers))
        )


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds since the epoch, to be moved on."""
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
def test_how_long_an_answer_is_fresh(control: str, bounds: tuple[int, int, int], seconds: float | None) -> None:
    assert time_to_live(kept(control), cache_policy(policy(*bounds)), {}, 0) == seconds


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
def test_how_long_an_error_is_kept(status: int, control: str, errors: dict[int, int], seconds: float | None) -> None:
    assert time_to_live(kept(control, status=status), cache_policy(policy()), errors, 0) == seconds


def test_how_long_an_answer_may_be_stale() -> None:
    bounds = cache_policy(policy(maximum=100))
    found = [
        may_be_stale(kept(control), bounds)
        for control in ("stale-if-error=7", "stale-if-error=700", "max-age=0", "stale-if-error=0")
    ]
    assert found == [7, 100, 100, 0]


def test_what_is_fresh_is_not_asked_for_again(clock: list[float]) -> None:
    origin = Origin(kept("max-age=60"), kept("max-age=60", b"two"))
    viewer = Viewer(origin)
    answers = [viewer.asks() for _ in range(2)]
    clock[0] += 59
    answers.append(viewer.asks())
    assert [(answer.body, answer.header("x-cache")) for answer in answers] == [
        (b"one", "Miss from cloudfront"),
        (b"one", "Hit from cloudfront"),
        (b"one", "Hit from cloudfront"),
    ]
    assert (answers[0].header("age"), answers[2].header("age")) == (None, "59")
    clock[0] += 2
    assert viewer.asks().body == b"two"


def test_what_is_not_fresh_is_asked_whether_it_still_holds(clock: list[float]) -> None:
    origin = Origin(
        kept("max-age=0"),
        Response(304, [("cache-control", "max-age=30"), ("etag", '"1"')]),
        kept("max-age=0", b"two", '"2"'),
    )
    viewer = Viewer(origin)
    viewer.asks(if_none_match='"mine"')
    confirmed = viewer.asks(if_none_match='"mine"')
    assert (confirmed.status, confirmed.body, confirmed.header("x-cache")) == (
        200,
        b"one",
        "RefreshHit from cloudfront",
    )
    assert (origin.asked[0].header("if-none-match"), origin.asked[1].header("if-none-match")) == ('"mine"', '"1"')
    assert viewer.asks().header("x-cache") == "Hit from cloudfront"
    clock[0] += 31
    assert viewer.asks().body == b"two"


def test_a_viewer_that_has_it_is_told_so() -> None:
    viewer = Viewer(Origin(kept("max-age=60")))
    viewer.asks()
    for held in ('"1"', 'W/"1"', '"0", "1"', "*"):
        answer = viewer.asks(if_none_match=held)
        assert (answer.status, answer.body, answer.header("etag")) == (304, b"", '"1"')
    assert viewer.asks(if_none_match='"2"').status == 200


@pytest.mark.parametrize(
    "failure", [kept("no-store", b"away", status=503), Unreachable(slow=True), Unreachable(slow=False)], ids=str
)
def test_an_answer_is_given_stale_while_the_origin_has_none(
    clock: list[float], failure: Response | Unreachable
) -> None:
    viewer = Viewer(
        Origin(kept("max-age=0, stale-if-error=100"), failure),
        made(errors=({"ErrorCode": 503, "ErrorCachingMinTTL": 0},)),
    )
    viewer.asks()
    clock[0] += 99
    stale = viewer.asks()
    assert (stale.status, stale.body, stale.header("age"), stale.header("x-cache")) == (
        200,
        b"one",
        "99",
        "RefreshHit from cloudfront",
    )
    clock[0] += 2
    assert viewer.asks().status >= 500


@pytest.mark.parametrize("control", ["private, no-cache, stale-if-error=0", "max-age=0, stale-if-error=0", "no-store"])
def test_what_may_not_be_stale_is_an_honest_error(control: str) -> None:
    viewer = Viewer(Origin(kept(control), kept("no-store", b"away", status=503)))
    viewer.asks()
    answer = viewer.asks()
    assert (answer.status, answer.header("x-cache")) == (503, "Error from cloudfront")


def test_an_error_of_its_own_kind_is_neither_hidden_nor_kept() -> None:
    origin = Origin(kept("max-age=0, stale-if-error=100"), Response(401), Response(401), kept("max-age=0"))
    viewer = Viewer(origin)
    assert [viewer.asks().status for _ in range(4)] == [200, 401, 401, 200]


def test_what_is_gone_is_not_given_stale_afterwards() -> None:
    errors = ({"ErrorCode": 404, "ErrorCachingMinTTL": 0},)
    viewer = Viewer(Origin(kept("max-age=0, stale-if-error=100"), Response(404), Response(503)), made(errors=errors))
    assert [viewer.asks().status for _ in range(3)] == [200, 404, 503]


def test_errors_are_kept_for_ten_seconds_unless_the_distribution_says_otherwise(clock: list[float]) -> None:
    origin = Origin(Response(404), kept("max-age=0"))
    viewer = Viewer(origin)
    assert [viewer.asks("/other").status for _ in range(2)] == [404, 404]  # also where nothing else is kept
    clock[0] += 11
    assert viewer.asks("/other").status == 200


def test_what_an_answer_is_known_by() -> None:
    origin = Origin(kept("max-age=60"))
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
    for each in differing * 2:
        viewer.asks(**each)
    assert len(origin.asked) == len(differing)
    for same in (
        {"accept_language": "is"},
        {"cookie": "a=b"},
        {"accept_encoding": "zstd"},
        {"cache_control": "no-cache"},
    ):
        viewer.asks(**same)
    assert len(origin.asked) == len(differing)


def test_only_chosen_query_parameters_count_and_only_those_go_on() -> None:
    origin = Origin(kept("max-age=60"))
    chosen = policy(**_parts(queries="whitelist"))
    viewer = Viewer(origin, made(chosen, behaviour={"OriginRequestPolicyId": ""}))
    for target in ("/v1/airports?limit=1&x=2", "/v1/airports?x=3&limit=1", "/v1/airports?limit=2"):
        viewer.asks(target)
    assert [asked.query for asked in origin.asked] == ["limit=1", "limit=2"]


def test_what_the_origin_gets_of_a_request() -> None:
    origin = Origin(kept("max-age=60"))
    Viewer(origin).asks(
        "/v1/airports?limit=1",
        x_origin_verify="guessed",
        x_forwarded_for="192.0.2.1",
        accept_encoding="zstd, gzip;q=0.5",
        user_agent="a viewer",
        authorization="Bearer a",
        cookie="a=b",
    )
    [asked] = origin.asked
    assert (asked.path, asked.query) == ("/live/v1/airports", "limit=1")
    wanted = {
        "x-origin-verify": "secret",
        "x-forwarded-for": "192.0.2.1, 127.0.0.1",
        "accept-encoding": "gzip",
        "user-agent": "a viewer",
        "authorization": "Bearer a",
        "cookie": "a=b",
        "host": None,
    }
    assert {name: asked.header(name) for name in wanted} == wanted


def test_without_a_policy_that_forwards_them_headers_stay_behind() -> None:
    origin = Origin(kept("max-age=60"))
    unforwarded = made(policy(**_parts()), behaviour={"OriginRequestPolicyId": ""})
    Viewer(origin, unforwarded).asks(authorization="Bearer a", accept_language="is", user_agent="a viewer")
    found = [origin.asked[0].header(name) for name in ("authorization", "accept-language", "user-agent")]
    assert found == [None, None, "Amazon CloudFront"]


def test_headers_are_added_and_those_of_the_origin_stay_where_they_may() -> None:
    answer = Viewer(Origin(kept("max-age=60").with_headers(("content-security-policy", "own")))).asks()
    assert answer.header("strict-transport-security") == "max-age=60; includeSubdomains"
    assert answer.header("content-security-policy") == "own"


def test_writes_and_ranges_pass_and_are_not_kept() -> None:
    origin = Origin(kept("max-age=60"))
    viewer = Viewer(origin)
    for _ in range(2):
        viewer.asks(method="PUT")
        viewer.asks(range="bytes=0-1")
    assert len(origin.asked) == 4
    viewer.asks()
    assert len(origin.asked) == 5


def test_what_cloudfront_refuses_itself() -> None:
    origin = Origin(kept("max-age=60"))
    viewer = Viewer(origin, made(behaviour={"AllowedMethods": _list("GET", "HEAD")}))
    assert viewer.asks(method="PUT").status == 403
    assert viewer.asks("/other", method="TRACE").status == 403
    assert viewer.asks("/v1/" + "a" * 8_200).status == 414
    assert viewer.asks(cookie="a" * 21_000).status == 413
    assert Viewer(origin, made(Enabled=False)).asks().status == 403
    assert origin.asked == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"OriginGroups": _list({"Id": "a"})}, "OriginGroups"),
        ({"DefaultRootObject": "index.html"}, "DefaultRootObject"),
        ({"AnycastIpListId": "a"}, "AnycastIpListId"),
        ({"Restrictions": {"GeoRestriction": _list("IS")}}, "places"),
        ({"behaviour": {"FunctionAssociations": _list({"EventType": "viewer-request"})}}, "FunctionAssociations"),
        ({"behaviour": {"TrustedKeyGroups": {"Enabled": True, "Quantity": 0}}}, "TrustedKeyGroups"),
        ({"behaviour": {"RealtimeLogConfigArn": "a"}}, "RealtimeLogConfigArn"),
        ({"errors": ({"ErrorCode": 404, "ResponsePagePath": "/sorry"},)}, "ResponsePagePath"),
        ({"Origins": _list({"Id": "api", "DomainName": "bucket.s3.amazonaws.com"})}, "is no API of this account"),
        (
            {"cache": policy(**{**_parts(), "CookiesConfig": {"CookieBehavior": "most"}})},
            "cookies of cache policy: most",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(change: Change, words: str) -> None:
    with pytest.raises(NotUnderstood, match=re.escape(words)):
        made(**change)


@pytest.mark.parametrize(
    ("pattern", "path", "found"),
    [
        ("/v1/*", "/v1/", True),
        ("/v1/*", "/v1", False),
        ("v1/?", "/v1/a", True),
        ("/v1/?", "/v1/ab", False),
        ("*.js", "/a/b.js", True),
        ("/v1/*/*/writes/*", "/v1/a/b/writes/c", True),
        ("/v1/*/*/writes/*", "/v1/a/writes", False),
        ("/a.b", "/axb", False),
    ],
)
def test_which_behaviour_a_path_has(pattern: str, path: str, found: bool) -> None:
    configured = made(behaviour={"PathPattern": pattern})
    assert (configured.behaviour(path) is configured.behaviours[0]) == found
