"""Caches: the cache key has everything on which a response depends, the caller included."""

import re
from collections.abc import Iterator
from typing import Any

from sluice.model.list_parameters import list_parameter_names
from sluice.model.resource import load_resources
from tests.template.rules.reading import Properties, branches, entries, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

_CALLER = frozenset({"method.request.header.Authorization", "method.request.header.x-api-key"})
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
                yield stage, method, set(integration.get("cacheKeyParameters", []))


def behaviours(distribution: Properties) -> list[Properties]:
    configuration = distribution["DistributionConfig"]
    return [configuration["DefaultCacheBehavior"], *entries(configuration.get("CacheBehaviors", []))]


class CallerInKeys(Rule):
    """One path serves shared and private collections, so a key without the caller would mix owners. A key without the
    API key would serve clients that have none."""

    id = "E9116"
    shortdesc = "Every cache key has the path parameters and the caller"

    def match(self, cfn: Template) -> list[RuleMatch]:
        matches = []
        for stage, method, keys in cached(cfn):
            parts = {f"method.request.path.{name}" for name in re.findall(r"{(\w+)\+?}", method)}
            matches += [
                RuleMatch(["Resources", stage], f"{stage} caches {method} without {missing} in its key")
                for missing in sorted((parts | _CALLER) - keys)
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
    """API Gateway ignores parameters that are not declared; the resource classes define the parameters of lists."""

    id = "E9117"
    shortdesc = "Every parameter of a cached list is in its cache key"

    def match(self, cfn: Template) -> list[RuleMatch]:
        resources = load_resources()
        matches = []
        for stage, method, keys in cached(cfn):
            resource = resources[method.split("/")[2]]
            wanted = {f"method.request.querystring.{name}" for name in list_parameter_names([resource])}
            matches += [
                RuleMatch(["Resources", stage], f"{stage} caches {method} without {missing} in its key")
                for missing in sorted((wanted | {"method.request.header.If-None-Match"}) - keys)
            ]
        return matches


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
