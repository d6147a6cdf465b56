"""The configuration of a CloudFront distribution, as its API returns it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from local.edge.cloudfront.functions import RequestFunction, parse_function_associations
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

# These have no effect at a listener on the loopback address without TLS, or they configure logs.
_IGNORED_KEYS = (
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
_ENFORCED_KEYS = ("Enabled", "Origins", "DefaultCacheBehavior", "CacheBehaviors", "CustomErrorResponses", "WebACLId")
_EMPTY_KEYS = ("OriginGroups", "DefaultRootObject")
_BEHAVIOUR_KEYS = (
    "PathPattern",
    "TargetOriginId",
    "ViewerProtocolPolicy",
    "AllowedMethods",
    "Compress",
    "CachePolicyId",
    "OriginRequestPolicyId",
    "ResponseHeadersPolicyId",
    "FunctionAssociations",
    "SmoothStreaming",
)
_EMPTY_BEHAVIOUR_KEYS = (
    "TrustedSigners",
    "TrustedKeyGroups",
    "LambdaFunctionAssociations",
    "FieldLevelEncryptionId",
)
_ORIGIN_KEYS = (
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
_API_DOMAIN = re.compile(r"([a-z0-9]+)\.execute-api\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True)
class Origin:
    """The stage of an API. `custom_headers` are set on every request and replace what the viewer sent."""

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
    change_viewer_request: RequestFunction

    @property
    def supports_conditional_requests(self) -> bool:
        """Whether no cookies are forwarded (Amazon CloudFront Developer Guide, "Cache content based on cookies").

        Which of the two policies forwards the cookies makes no difference there.
        """
        return not (self.cache_policy.key_parts.forwards_cookies or self.forwarded_parts.forwards_cookies)


@dataclass(frozen=True)
class Distribution:
    """`behaviours` are in their order, the default one last. `error_ttl_seconds` is the minimum TTL of an error, by
    status."""

    enabled: bool
    behaviours: tuple[CacheBehaviour, ...]
    error_ttl_seconds: dict[int, int]

    def match_behaviour(self, path: str) -> CacheBehaviour:
        return next(behaviour for behaviour in self.behaviours if behaviour.pattern.fullmatch(path))


PolicyConfigurations = dict[str, dict[str, Any]]
"""The configurations of policies by id."""


def parse_distribution(
    config: dict[str, Any], policies: PolicyConfigurations, functions: Mapping[str, str]
) -> Distribution:
    """`functions` has the text of each function, by ARN.

    Raises UnsupportedConfiguration for each part that the edge cannot enforce.
    """
    _require_empty(config, _EMPTY_KEYS, "distribution")
    reject_unknown_keys(config, (*_IGNORED_KEYS, *_ENFORCED_KEYS, *_EMPTY_KEYS), "distribution")
    if list_items((config.get("Restrictions") or {}).get("GeoRestriction")):
        raise UnsupportedConfiguration("distribution: the local edge does not enforce geographic restrictions")
    origins = {origin["Id"]: _parse_origin(origin) for origin in list_items(config["Origins"])}
    behaviours = [*list_items(config.get("CacheBehaviors")), {"PathPattern": "*", **config["DefaultCacheBehavior"]}]
    return Distribution(
        bool(config["Enabled"]),
        tuple(_parse_behaviour(behaviour, origins, policies, functions) for behaviour in behaviours),
        _parse_error_ttls(config),
    )


def _require_empty(config: dict[str, Any], names: tuple[str, ...], context: str) -> None:
    for name in names:
        part = config.get(name)
        if part and not (isinstance(part, dict) and not list_items(part) and not part.get("Enabled")):
            raise UnsupportedConfiguration(f"{context}: the local edge does not enforce {name}")


def _parse_error_ttls(config: dict[str, Any]) -> dict[int, int]:
    ttls = {}
    for part in list_items(config.get("CustomErrorResponses")):
        present = {name: value for name, value in part.items() if value != ""}
        reject_unknown_keys(present, ("ErrorCode", "ErrorCachingMinTTL"), "CustomErrorResponses")
        ttls[int(part["ErrorCode"])] = int(part.get("ErrorCachingMinTTL", 10))
    return ttls


def _parse_origin(config: dict[str, Any]) -> Origin:
    context = f"origin {config['Id']}"
    reject_unknown_keys(config, _ORIGIN_KEYS, context)
    match = _API_DOMAIN.fullmatch(config["DomainName"])
    if match is None:
        raise UnsupportedConfiguration(f"{context}: {config['DomainName']} is not an API of this account")
    headers = [(part["HeaderName"].lower(), part["HeaderValue"]) for part in list_items(config.get("CustomHeaders"))]
    timeout_seconds = float((config.get("CustomOriginConfig") or {}).get("OriginReadTimeout", 30))
    return Origin(config["DomainName"], match[1], config.get("OriginPath", ""), headers, timeout_seconds)


def _parse_behaviour(
    config: dict[str, Any], origins: dict[str, Origin], policies: PolicyConfigurations, functions: Mapping[str, str]
) -> CacheBehaviour:
    pattern = config["PathPattern"]
    _require_empty(config, _EMPTY_BEHAVIOUR_KEYS, f"behaviour {pattern}")
    reject_unknown_keys(config, (*_BEHAVIOUR_KEYS, *_EMPTY_BEHAVIOUR_KEYS), f"behaviour {pattern}")
    methods = config.get("AllowedMethods") or {}
    origin_request_id, response_headers_id = config.get("OriginRequestPolicyId"), config.get("ResponseHeadersPolicyId")
    return CacheBehaviour(
        _compile_path_pattern(pattern),
        origins[config["TargetOriginId"]],
        frozenset(list_items(methods) or ["GET", "HEAD"]),
        frozenset(list_items(methods.get("CachedMethods")) or ["GET", "HEAD"]),
        parse_cache_policy(policies[config["CachePolicyId"]]),
        parse_request_parts(policies[origin_request_id], f"origin request policy of {pattern}")
        if origin_request_id
        else NO_PARTS,
        parse_response_headers_policy(policies[response_headers_id])
        if response_headers_id
        else lambda response: response,
        parse_function_associations(config.get("FunctionAssociations"), functions, f"behaviour {pattern}"),
    )


def _compile_path_pattern(path_pattern: str) -> re.Pattern[str]:
    """`*` matches any number of characters, `?` matches one. The first `/` of a pattern is optional."""
    text = path_pattern if path_pattern.startswith(("/", "*")) else f"/{path_pattern}"
    return re.compile("".join({"*": ".*", "?": "."}.get(part, re.escape(part)) for part in text), re.DOTALL)
