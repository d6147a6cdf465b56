"""Caches: the cache key has everything on which a response depends, the caller included."""

import re
from collections.abc import Iterator
from typing import Any

from sluice.model.canary_item import load_served_resources
from sluice.model.list_parameters import list_parameter_names
from sluice.model.resource import Resource
from tests.template.rules.reading import Properties, branches, entries, names, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template
from tools.api_definition.caching import QUERY_DIGEST

_RECEIPTS = "/v1/*/*/writes/*"
_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # AWS's policy CachingDisabled


def cached(cfn: Template) -> Iterator[tuple[str, str, set[str]]]:
    """Stage, method with path, and cache key of each method that API Gateway may cache under some parameters."""
    operations = {
        f"{method.upper()} {path}": operation
        for _, api in of_type(cfn, "AWS::ApiGateway::RestApi")
        for path, methods in api["Body"]["paths"].items()
        for method, operation in methods.items()
    }
    for stage, properties in of_type(cfn, "AWS::ApiGateway::Stage"):
        for setting in properties.get("MethodSettings", []):
            if True in branches(setting.get("CachingEnabled")):
                path = re.sub("^/(?=~1)", "", setting["ResourcePath"]).replace("~1", "/")
                method = f"{setting['HttpMethod']} {path}"
                integration = operations.get(method, {}).get("x-amazon-apigateway-integration", {})
                yield stage, method, set(entries(integration.get("cacheKeyParameters", [])))


def behaviours(distribution: Properties) -> list[Properties]:
    configuration = distribution["DistributionConfig"]
    return [configuration["DefaultCacheBehavior"], *entries(configuration.get("CacheBehaviors", []))]


def _list_shared_methods() -> dict[str, Resource]:
    """The methods that read a list or an item of a shared collection, with its resource."""
    return {
        f"GET /v1/{resource.collection}{suffix}": resource
        for resource in load_served_resources().values()
        if not resource.private
        for suffix in ("", "/{id}")
    }


class CallersKeptApart(Rule):
    """One answer of a shared collection serves every caller, whom API Gateway has authorized before it looks into its
    cache. CloudFront authorizes nobody, so its keys have the caller and the caller's API key."""

    id = "E9116"
    shortdesc = "API Gateway caches items and lists of shared collections only; CloudFront caches by caller"

    def match(self, cfn: Template) -> list[RuleMatch]:
        shared = _list_shared_methods()
        matches = [
            RuleMatch(["Resources", stage], f"{stage} caches {method}, which is no item or list that callers share")
            for stage, method, _ in cached(cfn)
            if method not in shared
        ]
        policies = dict(of_type(cfn, "AWS::CloudFront::CachePolicy"))
        for name, distribution in of_type(cfn, "AWS::CloudFront::Distribution"):
            matches += [
                RuleMatch(["Resources", name], f"{behaviour.get('PathPattern', '*')}: {fault}")
                for behaviour in behaviours(distribution)
                if (fault := self._fault(behaviour["CachePolicyId"], policies))
            ]
        return matches

    def _fault(self, policy: Any, policies: dict[str, Properties]) -> str:
        if policy == _DISABLED:
            return ""
        cache_policy = policies.get(policy.get("Ref", "")) if isinstance(policy, dict) else None
        if cache_policy is None:
            return "cached by a policy that is not in this template"
        keys = cache_policy["CachePolicyConfig"]["ParametersInCacheKeyAndForwardedToOrigin"]
        for header in ("Authorization", "x-api-key"):
            if header not in entries(keys["HeadersConfig"].get("Headers", [])):
                return f"cached without {header} in its key"
        if keys["QueryStringsConfig"]["QueryStringBehavior"] != "all":
            return "cached without the whole query string in its key"
        if cache_policy["CachePolicyConfig"]["MinTTL"] != 0:
            return "cached for longer than its response allows"
        return ""


class ParametersInKeys(Rule):
    """API Gateway ignores parameters that are not declared; the resource classes define the parameters of lists.

    The digest of the query stands for what cannot be declared: unknown and repeated parameters, whose 400 would be the
    answer to others.
    """

    id = "E9117"
    shortdesc = "The cache key of an item or a list has everything on which the answer depends"

    def match(self, cfn: Template) -> list[RuleMatch]:
        shared = _list_shared_methods()
        matches = []
        for stage, method, keys in cached(cfn):
            if method not in shared:
                continue
            headers = ("If-None-Match", "Sluice-As-Of", "Accept-Encoding", "x-api-key", QUERY_DIGEST)
            wanted = {f"method.request.header.{name}" for name in headers}
            if method.endswith("/{id}"):
                wanted |= {
                    "method.request.path.id",
                    "method.request.querystring.version",
                    "method.request.header.Prefer",
                }
            else:
                wanted |= {f"method.request.querystring.{name}" for name in list_parameter_names([shared[method]])}
            matches += [
                RuleMatch(["Resources", stage], f"{stage} caches {method} without {missing} in its key")
                for missing in sorted(wanted - keys)
            ]
        return matches


class QueryDigestSent(Rule):
    """Without the digest, queries that differ in an undeclared parameter share a key of API Gateway's cache. A header
    of that name from a client must never count."""

    id = "E9186"
    shortdesc = "CloudFront sends the digest of the query with every request to the API, except of receipts"

    def match(self, cfn: Template) -> list[RuleMatch]:
        if not any(cached(cfn)):
            return []
        functions = {
            name
            for name, function in of_type(cfn, "AWS::CloudFront::Function")
            if QUERY_DIGEST in function["FunctionCode"]
        }
        return [
            RuleMatch(
                ["Resources", name], f"{name} sends no digest of the query of {behaviour.get('PathPattern', '*')}"
            )
            for name, distribution in of_type(cfn, "AWS::CloudFront::Distribution")
            for behaviour in behaviours(distribution)
            if behaviour["TargetOriginId"] == "api" and behaviour.get("PathPattern") != _RECEIPTS
            if not any(self._sends(association, functions) for association in self._associations(behaviour))
        ]

    def _associations(self, behaviour: Properties) -> list[Any]:
        return [entry for listed in branches(behaviour.get("FunctionAssociations", [])) for entry in listed]

    def _sends(self, association: Properties, functions: set[str]) -> bool:
        return association["EventType"] == "viewer-request" and any(
            names(association["FunctionARN"], function) for function in functions
        )


class ErrorsNotCached(Rule):
    """By default CloudFront caches an error for 10 seconds, also 425 (too early)."""

    id = "E9118"
    shortdesc = "CloudFront caches no error"

    def match(self, cfn: Template) -> list[RuleMatch]:
        matches = []
        for name, distribution in of_type(cfn, "AWS::CloudFront::Distribution"):
            listed = distribution["DistributionConfig"].get("CustomErrorResponses", [])
            uncached = {error["ErrorCode"] for error in listed if error.get("ErrorCachingMinTTL") == 0}
            matches += [
                RuleMatch(["Resources", name], f"{name} caches the error {code}")
                for code in sorted({400, 403, 404, 405, 414, 500, 501, 502, 503, 504} - uncached)
            ]
        return matches
