"""Distributions as CloudFront's API gives them, origins that answer in turn, viewers."""

import asyncio
from typing import Any

from local.edge.cloudfront.distribution import Distribution, parse_distribution
from local.edge.cloudfront.distribution_handler import DistributionHandler
from local.edge.http_messages import Request, Response
from tests.edge.acls import build_request

Overrides = dict[str, Any]
ALL_METHODS = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]


def build_list(*items: Any) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": list(items)}


def build_parts(headers: tuple[str, ...] = (), queries: str = "all", **more: Any) -> dict[str, Any]:
    return {
        "HeadersConfig": {"HeaderBehavior": "whitelist" if headers else "none", "Headers": build_list(*headers)},
        "QueryStringsConfig": {"QueryStringBehavior": queries, "QueryStrings": build_list("limit")},
        "CookiesConfig": {"CookieBehavior": "none"},
        **more,
    }


def build_cache_policy(minimum: int = 0, default: int = 0, maximum: int = 3600, **more: Any) -> Overrides:
    key = build_parts(("Authorization",), EnableAcceptEncodingGzip=True, EnableAcceptEncodingBrotli=True) | more
    return {
        "MinTTL": minimum,
        "DefaultTTL": default,
        "MaxTTL": maximum,
        "ParametersInCacheKeyAndForwardedToOrigin": key,
    }


VIEWER_POLICY = {**build_parts(), "HeadersConfig": {"HeaderBehavior": "allExcept", "Headers": build_list("Host")}}
VIEWER_POLICY["CookiesConfig"] = {"CookieBehavior": "all"}
SECURITY_POLICY = {
    "SecurityHeadersConfig": {
        "StrictTransportSecurity": {"AccessControlMaxAgeSec": 60, "IncludeSubdomains": True, "Override": True},
        "ContentSecurityPolicy": {"ContentSecurityPolicy": "default-src 'none'", "Override": False},
    }
}


def build_distribution(
    cache: Overrides | None = None,
    errors: tuple[dict[str, int], ...] = (),
    behaviour: Overrides | None = None,
    **more: Any,
) -> Distribution:
    common = {
        "TargetOriginId": "api",
        "ViewerProtocolPolicy": "https-only",
        "AllowedMethods": build_list(*ALL_METHODS),
        "OriginRequestPolicyId": "viewer",
        "ResponseHeadersPolicyId": "security",
    }
    origin = {
        "Id": "api",
        "DomainName": "abc123.execute-api.us-east-1.amazonaws.com",
        "OriginPath": "/live",
        "CustomHeaders": build_list({"HeaderName": "X-Origin-Verify", "HeaderValue": "secret"}),
    }
    given = {
        "Enabled": True,
        "Origins": build_list(origin),
        "CacheBehaviors": build_list({**common, "PathPattern": "/v1/*", "CachePolicyId": "cache", **(behaviour or {})}),
        "DefaultCacheBehavior": {**common, "CachePolicyId": "none"},
        "CustomErrorResponses": build_list(*errors),
        **more,
    }
    off = build_cache_policy(maximum=0)
    return parse_distribution(
        given,
        {"cache": cache or build_cache_policy(), "none": off, "viewer": VIEWER_POLICY, "security": SECURITY_POLICY},
    )


class Origin:
    """Answers in their order, then the last one again; remembers what it was asked."""

    def __init__(self, *answers: Response | Exception) -> None:
        self._answers = list(answers)
        self.requests: list[Request] = []

    async def handle_request(self, asked: Request) -> Response:
        self.requests.append(asked)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def build_response(control: str, body: bytes = b"one", etag: str = '"1"', status: int = 200) -> Response:
    return Response(status, [("cache-control", control), ("etag", etag), ("content-type", "application/json")], body)


class Viewer:
    def __init__(self, origin: Origin, configured: Distribution | None = None) -> None:
        self._side, self._origin, self._configured = DistributionHandler(), origin, configured or build_distribution()

    def send(self, target: str = "/v1/airports", method: str = "GET", **headers: Any) -> Response:
        return asyncio.run(
            self._side.handle_request(
                self._configured, None, self._origin.handle_request, build_request(target, method, **headers)
            )
        )
