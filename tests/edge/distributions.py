"""Distributions as the CloudFront API returns them, with a stub of the origin and a viewer."""

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


def build_parts(headers: tuple[str, ...] = (), queries: str = "all", **overrides: Any) -> dict[str, Any]:
    return {
        "HeadersConfig": {"HeaderBehavior": "whitelist" if headers else "none", "Headers": build_list(*headers)},
        "QueryStringsConfig": {"QueryStringBehavior": queries, "QueryStrings": build_list("limit")},
        "CookiesConfig": {"CookieBehavior": "none"},
        **overrides,
    }


def build_cache_policy(minimum: int = 0, default: int = 0, maximum: int = 3600, **overrides: Any) -> Overrides:
    key = build_parts(("Authorization",), EnableAcceptEncodingGzip=True, EnableAcceptEncodingBrotli=True) | overrides
    return {
        "MinTTL": minimum,
        "DefaultTTL": default,
        "MaxTTL": maximum,
        "ParametersInCacheKeyAndForwardedToOrigin": key,
    }


VIEWER_POLICY = {**build_parts(), "HeadersConfig": {"HeaderBehavior": "allExcept", "Headers": build_list("Host")}}
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
    viewer: Overrides | None = None,
    functions: dict[str, str] | None = None,
    **overrides: Any,
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
    config = {
        "Enabled": True,
        "Origins": build_list(origin),
        "CacheBehaviors": build_list({**common, "PathPattern": "/v1/*", "CachePolicyId": "cache", **(behaviour or {})}),
        "DefaultCacheBehavior": {**common, "CachePolicyId": "none"},
        "CustomErrorResponses": build_list(*errors),
        **overrides,
    }
    disabled = build_cache_policy(maximum=0)
    return parse_distribution(
        config,
        {
            "cache": cache or build_cache_policy(),
            "none": disabled,
            "viewer": VIEWER_POLICY | (viewer or {}),
            "security": SECURITY_POLICY,
        },
        functions or {},
    )


class Origin:
    """Returns the responses (or raises the exceptions) in order, and repeats the last one; records the requests."""

    def __init__(self, *responses: Response | Exception) -> None:
        self._responses = list(responses)
        self.requests: list[Request] = []

    async def handle_request(self, request: Request) -> Response:
        self.requests.append(request)
        response = self._responses.pop(0) if len(self._responses) > 1 else self._responses[0]
        if isinstance(response, Exception):
            raise response
        return response


def build_response(control: str, body: bytes = b"one", etag: str = '"1"', status: int = 200) -> Response:
    return Response(status, [("cache-control", control), ("etag", etag), ("content-type", "application/json")], body)


class Viewer:
    """Sends requests to a distribution whose origin is a stub."""

    def __init__(self, origin: Origin, distribution: Distribution | None = None) -> None:
        self._handler, self._origin = DistributionHandler(), origin
        self._distribution = distribution or build_distribution()

    def send(self, target: str = "/v1/airports", method: str = "GET", **headers: Any) -> Response:
        request = build_request(target, method, **headers)
        return asyncio.run(self._handler.handle_request(self._distribution, None, self._origin.handle_request, request))
