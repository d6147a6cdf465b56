"""The requests that CloudFront sends to the origin, those that it rejects itself, and the response headers it adds."""

import hashlib
import re

import pytest

from local.edge.cloudfront.functions import _QUERY_DIGEST
from local.edge.config_checks import UnsupportedConfiguration
from testkit.translate import TEMPLATE, read
from tests.edge.distributions import (
    Origin,
    Overrides,
    Viewer,
    build_cache_policy,
    build_distribution,
    build_list,
    build_parts,
    build_response,
)


def test_only_included_query_parameters_are_cached_and_forwarded() -> None:
    origin = Origin(build_response("max-age=60"))
    cache_policy = build_cache_policy(**build_parts(queries="whitelist"))
    viewer = Viewer(origin, build_distribution(cache_policy, behaviour={"OriginRequestPolicyId": ""}))
    for target in ("/v1/airports?limit=1&x=2", "/v1/airports?x=3&limit=1", "/v1/airports?limit=2"):
        viewer.send(target)
    assert [request.query for request in origin.requests] == ["limit=1", "limit=2"]


def test_the_request_to_the_origin() -> None:
    origin = Origin(build_response("max-age=60"))
    response = Viewer(origin).send(
        "/v1/airports?limit=1",
        x_amz_cf_id="forged",
        x_origin_verify="guessed",
        x_forwarded_for="192.0.2.1",
        accept_encoding="zstd, gzip;q=0.5",
        user_agent="a viewer",
        authorization="Bearer a",
        cookie="a=b",
    )
    [request] = origin.requests
    assert (request.path, request.query) == ("/live/v1/airports", "limit=1")
    expected = {
        "x-origin-verify": "secret",
        "x-amz-cf-id": response.get_header("x-amz-cf-id"),
        "x-forwarded-for": "192.0.2.1, 127.0.0.1",
        "accept-encoding": "gzip",
        "user-agent": "a viewer",
        "authorization": "Bearer a",
        "cookie": None,
        "host": None,
    }
    assert {name: request.get_header(name) for name in expected} == expected


def test_headers_are_not_forwarded_without_a_policy() -> None:
    origin = Origin(build_response("max-age=60"))
    without_policy = build_distribution(build_cache_policy(**build_parts()), behaviour={"OriginRequestPolicyId": ""})
    Viewer(origin, without_policy).send(authorization="Bearer a", accept_language="is", user_agent="a viewer")
    forwarded = [origin.requests[0].get_header(name) for name in ("authorization", "accept-language", "user-agent")]
    assert forwarded == [None, None, "Amazon CloudFront"]


def test_headers_are_added_and_the_origins_headers_stay_unless_overridden() -> None:
    response = Viewer(Origin(build_response("max-age=60").with_headers(("content-security-policy", "own")))).send()
    assert response.get_header("strict-transport-security") == "max-age=60; includeSubdomains"
    assert response.get_header("content-security-policy") == "own"


def test_writes_and_ranges_are_forwarded_and_not_cached() -> None:
    origin = Origin(build_response("max-age=60"))
    viewer = Viewer(origin)
    for _ in range(2):
        viewer.send(method="PUT")
        viewer.send(range="bytes=0-1")
    assert len(origin.requests) == 4
    viewer.send()
    assert len(origin.requests) == 5


def test_invalid_requests_are_rejected_by_cloudfront() -> None:
    origin = Origin(build_response("max-age=60"))
    viewer = Viewer(origin, build_distribution(behaviour={"AllowedMethods": build_list("GET", "HEAD")}))
    assert viewer.send(method="PUT").status == 403
    assert viewer.send("/other", method="TRACE").status == 403
    assert viewer.send("/v1/" + "a" * 8_200).status == 414
    assert viewer.send(cookie="a" * 21_000).status == 413
    assert Viewer(origin, build_distribution(Enabled=False)).send().status == 403
    assert origin.requests == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"OriginGroups": build_list({"Id": "a"})}, "OriginGroups"),
        ({"DefaultRootObject": "index.html"}, "DefaultRootObject"),
        ({"AnycastIpListId": "a"}, "AnycastIpListId"),
        ({"Restrictions": {"GeoRestriction": build_list("IS")}}, "geographic restrictions"),
        ({"behaviour": {"FunctionAssociations": build_list({"EventType": "viewer-request"})}}, "FunctionAssociations"),
        ({"behaviour": {"TrustedKeyGroups": {"Enabled": True, "Quantity": 0}}}, "TrustedKeyGroups"),
        ({"behaviour": {"RealtimeLogConfigArn": "a"}}, "RealtimeLogConfigArn"),
        ({"errors": ({"ErrorCode": 404, "ResponsePagePath": "/sorry"},)}, "ResponsePagePath"),
        (
            {"Origins": build_list({"Id": "api", "DomainName": "bucket.s3.amazonaws.com"})},
            "bucket.s3.amazonaws.com is not an API of this account",
        ),
        (
            {"cache": build_cache_policy(**{**build_parts(), "CookiesConfig": {"CookieBehavior": "most"}})},
            "cookies of cache policy: the local edge does not support most",
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(change: Overrides, words: str) -> None:
    with pytest.raises(UnsupportedConfiguration, match=re.escape(words)):
        build_distribution(**change)


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
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
def test_which_behaviour_a_path_has(pattern: str, path: str, matches: bool) -> None:
    distribution = build_distribution(behaviour={"PathPattern": pattern})
    assert (distribution.match_behaviour(path) is distribution.behaviours[0]) == matches


def test_the_function_of_the_template_digests_the_query_whatever_the_viewer_sends() -> None:
    text = read(TEMPLATE)["Resources"]["QueryDigest"]["Properties"]["FunctionCode"]
    association = {"EventType": "viewer-request", "FunctionARN": "arn"}
    origin = Origin(build_response("max-age=0"))
    distribution = build_distribution(
        behaviour={"FunctionAssociations": build_list(association)}, functions={"arn": text}
    )
    viewer = Viewer(origin, distribution)
    viewer.send("/v1/airports?b=%41&a", x_query_digest="guessed")
    viewer.send("/v1/airports")
    sent = [request.get_header("x-query-digest") for request in origin.requests]
    assert sent == [hashlib.sha256(query).hexdigest() for query in (b"b=%41&a", b"")]


@pytest.mark.parametrize(
    ("association", "text"),
    [
        ({"EventType": "viewer-request", "FunctionARN": "arn"}, "function handler(event) { return event.request; }"),
        ({"EventType": "viewer-response", "FunctionARN": "arn"}, _QUERY_DIGEST),
    ],
)
def test_another_function_is_not_supported(association: dict[str, str], text: str) -> None:
    with pytest.raises(UnsupportedConfiguration, match="no stand-in for its FunctionAssociations"):
        build_distribution(behaviour={"FunctionAssociations": build_list(association)}, functions={"arn": text})
