"""Distributions as CloudFront's API gives them, origins that answer in turn, viewers."""

import asyncio
from typing import Any

from local.edge.cloudfront.distribution import Distribution, parse_distribution
from local.edge.cloudfront.distribution_handler import DistributionHandler
from local.edge.http_messages import Request, Response
from tests.edge.acls import request

Change = dict[str, Any]
ALL = ["GET", "HEAD", "OPTIONS", "PUT", "PATCH", "POST", "DELETE"]


def listed(*items: Any) -> dict[str, Any]:
    return {"Quantity": len(items), "Items": list(items)}


def parts(headers: tuple[str, ...] = (), queries: str = "all", **more: Any) -> dict[str, Any]:
    return {
        "HeadersConfig": {"HeaderBehavior": "whitelist" if headers else "none", "Headers": listed(*headers)},
        "QueryStringsConfig": {"QueryStringBehavior": queries, "QueryStrings": listed("limit")},
        "CookiesConfig": {"CookieBehavior": "none"},
        **more,
    }


def policy(minimum: int = 0, default: int = 0, maximum: int = 3600, **more: Any) -> Change:
    key = parts(("Authorization",), EnableAcceptEncodingGzip=True, EnableAcceptEncodingBrotli=True) | more
    return {
        "MinTTL": minimum,
        "DefaultTTL": default,
        "MaxTTL": maximum,
        "ParametersInCacheKeyAndForwardedToOrigin": key,
    }


VIEWER = {**parts(), "HeadersConfig": {"HeaderBehavior": "allExcept", "Headers": listed("Host")}}
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
        "AllowedMethods": listed(*ALL),
        "OriginRequestPolicyId": "viewer",
        "ResponseHeadersPolicyId": "security",
    }
    origin = {
        "Id": "api",
        "DomainName": "abc123.execute-api.us-east-1.amazonaws.com",
        "OriginPath": "/live",
        "CustomHeaders": listed({"HeaderName": "X-Origin-Verify", "HeaderValue": "secret"}),
    }
    given = {
        "Enabled": True,
        "Origins": listed(origin),
        "CacheBehaviors": listed({**common, "PathPattern": "/v1/*", "CachePolicyId": "cache", **(behaviour or {})}),
        "DefaultCacheBehavior": {**common, "CachePolicyId": "none"},
        "CustomErrorResponses": listed(*errors),
        **more,
    }
    off = policy(maximum=0)
    return parse_distribution(given, {"cache": cache or policy(), "none": off, "viewer": VIEWER, "security": SECURITY})


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
        self._side, self._origin, self._configured = DistributionHandler(), origin, configured or made()

    def asks(self, target: str = "/v1/airports", method: str = "GET", **headers: Any) -> Response:
        return asyncio.run(
            self._side.handle_request(self._configured, None, self._origin.ask, request(target, method, **headers))
        )
