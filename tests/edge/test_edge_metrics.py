"""What the edge counts of its requests, and sends to the emulator."""

from collections import Counter
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from local.edge.http_messages import Response
from local.edge.metrics import EdgeMetrics
from local.edge.waf.web_acl import WebAcl
from tests.edge.acls import NO_TRANSFORMATION, build_acl, build_request, build_rule

NAMED = {"VisibilityConfig": {"MetricName": "no-admin"}}
STATEMENT = {
    "ByteMatchStatement": {
        "FieldToMatch": {"UriPath": {}},
        "PositionalConstraint": "STARTS_WITH",
        "SearchString": b"/admin",
        "TextTransformations": NO_TRANSFORMATION,
    }
}


class Receiver:
    """A stub of CloudWatch that sums what it gets, or does not answer."""

    def __init__(self) -> None:
        self.sums: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
        self.counts: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
        self.is_unavailable = False
        self.requests = 0

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:  # noqa: N803 - boto3's names
        self.requests += 1
        if self.is_unavailable:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")
        assert len(MetricData) <= 1000
        for datum in MetricData:
            assert len(datum["Values"]) == len(datum["Counts"]) <= 150
            key = (Namespace, datum["MetricName"], tuple(f"{d['Name']}={d['Value']}" for d in datum["Dimensions"]))
            for value, count in zip(datum["Values"], datum["Counts"], strict=True):
                self.sums[key] += value * count
                self.counts[key] += int(count)

    def read(self, name: str) -> float:
        """The sum of a metric of the distribution E1."""
        return self.sums["AWS/CloudFront", name, ("DistributionId=E1", "Region=Global")]


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def metrics(receiver: Receiver) -> EdgeMetrics:
    return EdgeMetrics(lambda _: receiver, "eu-west-1")


def _respond(metrics: EdgeMetrics, status: int, cache: str, method: str = "GET", body: bytes = b"four") -> None:
    response = Response(status, [("x-cache", f"{cache} from cloudfront")], body)
    metrics.count_response("E1", method, 10, response)


def test_responses_count_with_their_status_bytes_and_hits(metrics: EdgeMetrics, receiver: Receiver) -> None:
    for cache in ("Hit", "RefreshHit", "Miss", "Miss"):
        _respond(metrics, 200, cache)
    _respond(metrics, 202, "Miss", "PUT")
    _respond(metrics, 404, "Error")
    _respond(metrics, 503, "Error")
    metrics.send()
    assert receiver.read("Requests") == 7
    assert (receiver.read("4xxErrorRate"), receiver.read("5xxErrorRate"), receiver.read("TotalErrorRate")) == (
        100,
        100,
        200,
    )
    assert (receiver.read("BytesDownloaded"), receiver.read("BytesUploaded")) == (28, 10)
    # Of four cacheable requests without an error two are hits.
    assert receiver.read("CacheHitRate") == 200
    assert receiver.counts["AWS/CloudFront", "CacheHitRate", ("DistributionId=E1", "Region=Global")] == 4


@pytest.mark.parametrize(("scope", "region"), [("global", ()), ("regional", ("Region=eu-west-1",))])
def test_a_web_acl_counts_its_decisions(
    metrics: EdgeMetrics, receiver: Receiver, scope: str, region: tuple[str, ...]
) -> None:
    acl: WebAcl = build_acl(
        build_rule(STATEMENT, **NAMED),
        ARN=f"arn:aws:wafv2:eu-west-1:000000000000:{scope}/webacl/acl/1",
        VisibilityConfig={"MetricName": "edge"},
    )
    for path in ("/v1/airports", "/admin", "/v1/bookings", "/admin/users", "/"):
        acl.find_block(build_request(path), 0.0)
    metrics.count_decisions(acl)
    metrics.count_decisions(None)
    metrics.send()
    assert receiver.sums == {
        ("AWS/WAFV2", "AllowedRequests", (*region, "Rule=Default_Action", "WebACL=edge")): 3,
        ("AWS/WAFV2", "AllowedRequests", (*region, "Rule=ALL", "WebACL=edge")): 3,
        ("AWS/WAFV2", "BlockedRequests", (*region, "Rule=no-admin", "WebACL=edge")): 2,
        ("AWS/WAFV2", "BlockedRequests", (*region, "Rule=ALL", "WebACL=edge")): 2,
    }
    metrics.count_decisions(acl)
    metrics.send()
    assert receiver.requests == 1


def test_what_the_emulator_does_not_take_is_sent_later(metrics: EdgeMetrics, receiver: Receiver) -> None:
    receiver.is_unavailable = True
    for number in range(400):
        _respond(metrics, 200, "Miss", body=b"x" * number)
    metrics.send()
    receiver.is_unavailable = False
    _respond(metrics, 200, "Miss")
    metrics.send()
    assert (receiver.read("Requests"), receiver.read("BytesDownloaded")) == (401, sum(range(400)) + 4)
