"""A CloudFront distribution's configuration, as its own API shows it."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from local.edge.cloudfront.policies import (
    NO_PARTS,
    CachePolicy,
    RequestParts,
    parse_cache_policy,
    parse_request_parts,
    parse_response_headers_policy,
)
from local.edge.config_checks import UnsupportedConfiguration, list_items, reject_unknown_keys
from local.edge.http_messages import Headers, Response

# Of these nothing shows at a listener on loopback without TLS, or it says where logs go.
_NOT_HERE = (
    "CallerReference",
    "Comment",
    "Aliases",
    "PriceClass",
    "ViewerCertificate",
    "HttpVersion",
    "IsIPV6Enabled",
    "IPV6Enabled",
    "Logging",
    "Staging",
    "ContinuousDeploymentPolicyId",
    "Restrictions",
)


_ENFORCED = ("Enabled", "Origins", "DefaultCacheBehavior", "CacheBehaviors", "CustomErrorResponses", "WebACLId")


_EMPTY = ("OriginGroups", "DefaultRootObject")


_BEHAVIOUR = (
    "PathPattern",
    "TargetOriginId",
    "ViewerProtocolPolicy",
    "AllowedMethods",
    "Compress",
    "CachePolicyId",
    "OriginRequestPolicyId",
    "ResponseHeadersPolicyId",
    "SmoothStreaming",
)


_BEHAVIOUR_EMPTY = (
    "TrustedSigners",
    "TrustedKeyGroups",
    "LambdaFunctionAssociations",
    "FunctionAssociations",
    "FieldLevelEncryptionId",
)


_ORIGIN = (
    "Id",
    "DomainName",
    "OriginPath",
    "CustomHeaders",
    "CustomOriginConfig",
    "ConnectionAttempts",
    "ConnectionTimeout",
    "OriginShield",
    "OriginAccessControlId",
)


_API = re.compile(r"([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True)
class Origin:
    """An API's stage. `headers` are set on every request, whatever the viewer sent by their names."""

    domain: str
    api_id: str
    path: str
    custom_headers: Headers
    read_timeout_seconds: float


@dataclass(frozen=True)
class CacheBehaviour:
    pattern: re.Pattern[str]
    origin: Origin
    allowed_methods: frozenset[str]
    cached_methods: frozenset[str]
    cache_policy: CachePolicy
    forwarded_parts: RequestParts
    add_response_headers: Callable[[Response], Response]


@dataclass(frozen=True)
class Distribution:
    """`behaviours` in their order, the default one last; `errors` the seconds that errors are kept for, by status."""

    enabled: bool
    behaviours: tuple[CacheBehaviour, ...]
    error_ttl_seconds: dict[int, int]

    def match_behaviour(self, path: str) -> CacheBehaviour:
        return next(each for each in self.behaviours if each.pattern.fullmatch(path))


PolicyConfigurations = dict[str, dict[str, Any]]


"""Configurations of policies by their ids."""


def parse_distribution(given: dict[str, Any], policies: PolicyConfigurations) -> Distribution:
    """Raises NotUnderstood for whatever of it the edge could not do."""
    _empty(given, _EMPTY, "distribution")
    reject_unknown_keys(given, (*_NOT_HERE, *_ENFORCED, *_EMPTY), "distribution")
    if list_items((given.get("Restrictions") or {}).get("GeoRestriction")):
        raise UnsupportedConfiguration("distribution: places are not told apart by the local edge")
    origins = {origin["Id"]: _origin(origin) for origin in list_items(given["Origins"])}
    behaviours = [*list_items(given.get("CacheBehaviors")), {"PathPattern": "*", **given["DefaultCacheBehavior"]}]
    errors = {}
    for part in list_items(given.get("CustomErrorResponses")):
        reject_unknown_keys(
            {name: value for name, value in part.items() if value != ""},
            ("ErrorCode", "ErrorCachingMinTTL"),
            "CustomErrorResponses",
        )
        errors[int(part["ErrorCode"])] = int(part.get("ErrorCachingMinTTL", 10))
    return Distribution(
        bool(given["Enabled"]), tuple(_behaviour(behaviour, origins, policies) for behaviour in behaviours), errors
    )


def _empty(given: dict[str, Any], names: tuple[str, ...], what: str) -> None:
    for name in names:
        part = given.get(name)
        if part and not (isinstance(part, dict) and not list_items(part) and not part.get("Enabled")):
            raise UnsupportedConfiguration(f"{what}: {name} is not enforced by the local edge")


def _origin(given: dict[str, Any]) -> Origin:
    reject_unknown_keys(given, _ORIGIN, f"origin {given['Id']}")
    found = _API.fullmatch(given["DomainName"])
    if found is None:
        raise UnsupportedConfiguration(f"origin {given['Id']}: {given['DomainName']} is no API of this account")
    headers = [(part["HeaderName"].lower(), part["HeaderValue"]) for part in list_items(given.get("CustomHeaders"))]
    seconds = float((given.get("CustomOriginConfig") or {}).get("OriginReadTimeout", 30))
    return Origin(given["DomainName"], found[1], given.get("OriginPath", ""), headers, seconds)


def _behaviour(given: dict[str, Any], origins: dict[str, Origin], policies: PolicyConfigurations) -> CacheBehaviour:
    pattern = given["PathPattern"]
    _empty(given, _BEHAVIOUR_EMPTY, f"behaviour {pattern}")
    reject_unknown_keys(given, (*_BEHAVIOUR, *_BEHAVIOUR_EMPTY), f"behaviour {pattern}")
    methods = given.get("AllowedMethods") or {}
    forwarded, headers = given.get("OriginRequestPolicyId"), given.get("ResponseHeadersPolicyId")
    return CacheBehaviour(
        _pattern(pattern),
        origins[given["TargetOriginId"]],
        frozenset(list_items(methods) or ["GET", "HEAD"]),
        frozenset(list_items(methods.get("CachedMethods")) or ["GET", "HEAD"]),
        parse_cache_policy(policies[given["CachePolicyId"]]),
        parse_request_parts(policies[forwarded], f"origin request policy of {pattern}") if forwarded else NO_PARTS,
        parse_response_headers_policy(policies[headers]) if headers else lambda answer: answer,
    )


def _pattern(given: str) -> re.Pattern[str]:
    """`*` is any number of characters, `?` one; a pattern's first `/` may be left out."""
    text = given if given.startswith(("/", "*")) else f"/{given}"
    return re.compile("".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in text), re.DOTALL)
