"""What the origin gets of a request, what is refused before it, what is added to the answer."""

import re

import pytest

from local.edge.config_checks import UnsupportedConfiguration
from tests.edge.distributions import Change, Origin, Viewer, kept, listed, made, parts, policy


def test_only_chosen_query_parameters_count_and_only_those_go_on() -> None:
    origin = Origin(kept("max-age=60"))
    chosen = policy(**parts(queries="whitelist"))
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
    assert {name: asked.get_header(name) for name in wanted} == wanted


def test_without_a_policy_that_forwards_them_headers_stay_behind() -> None:
    origin = Origin(kept("max-age=60"))
    unforwarded = made(policy(**parts()), behaviour={"OriginRequestPolicyId": ""})
    Viewer(origin, unforwarded).asks(authorization="Bearer a", accept_language="is", user_agent="a viewer")
    found = [origin.asked[0].get_header(name) for name in ("authorization", "accept-language", "user-agent")]
    assert found == [None, None, "Amazon CloudFront"]


def test_headers_are_added_and_those_of_the_origin_stay_where_they_may() -> None:
    answer = Viewer(Origin(kept("max-age=60").with_headers(("content-security-policy", "own")))).asks()
    assert answer.get_header("strict-transport-security") == "max-age=60; includeSubdomains"
    assert answer.get_header("content-security-policy") == "own"


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
    viewer = Viewer(origin, made(behaviour={"AllowedMethods": listed("GET", "HEAD")}))
    assert viewer.asks(method="PUT").status == 403
    assert viewer.asks("/other", method="TRACE").status == 403
    assert viewer.asks("/v1/" + "a" * 8_200).status == 414
    assert viewer.asks(cookie="a" * 21_000).status == 413
    assert Viewer(origin, made(Enabled=False)).asks().status == 403
    assert origin.asked == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"OriginGroups": listed({"Id": "a"})}, "OriginGroups"),
        ({"DefaultRootObject": "index.html"}, "DefaultRootObject"),
        ({"AnycastIpListId": "a"}, "AnycastIpListId"),
        ({"Restrictions": {"GeoRestriction": listed("IS")}}, "places"),
        ({"behaviour": {"FunctionAssociations": listed({"EventType": "viewer-request"})}}, "FunctionAssociations"),
        ({"behaviour": {"TrustedKeyGroups": {"Enabled": True, "Quantity": 0}}}, "TrustedKeyGroups"),
        ({"behaviour": {"RealtimeLogConfigArn": "a"}}, "RealtimeLogConfigArn"),
        ({"errors": ({"ErrorCode": 404, "ResponsePagePath": "/sorry"},)}, "ResponsePagePath"),
        ({"Origins": listed({"Id": "api", "DomainName": "bucket.s3.amazonaws.com"})}, "is no API of this account"),
        (
            {"cache": policy(**{**parts(), "CookiesConfig": {"CookieBehavior": "most"}})},
            "cookies of cache policy: most",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(change: Change, words: str) -> None:
    with pytest.raises(UnsupportedConfiguration, match=re.escape(words)):
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
    assert (configured.match_behaviour(path) is configured.behaviours[0]) == found
