"""Caches: no answer goes to another caller, or to another question, than the one that it was made for."""

import re
from collections.abc import Iterator
from typing import Any

from sluice.model.list_parameters import list_parameter_names
from sluice.model.resource import load_resources
from sluice.schema.preflight import QUERY_PARAMETER_PREFIX
from tests.template.rules.reading import Properties, branches, entries, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

_CALLER = frozenset({"method.request.header.Authorization", "method.request.header.x-api-key"})
_DISABLED = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"  # AWS's policy CachingDisabled


def cached(cfn: Template) -> Iterator[tuple[str, str, set[str]]]:
    """Stage, method with path, and keys of each method that API Gateway may cache, with whatever parameters."""
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
    """One path serves shared and private collections, so a cache that left the caller out would mix owners; without the
    client's key it would answer clients that have none."""

    id = "E9116"
    shortdesc = "Whatever is cached is cached for its path and its caller"

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
        known = policies.get(policy.get("Ref", "")) if isinstance(policy, dict) else None
        if known is None:
            return "cached by a policy that this template does not show"
        keys = known["CachePolicyConfig"]["ParametersInCacheKeyAndForwardedToOrigin"]
        for header in ("Authorization", "x-api-key"):
            if header not in entries(keys["HeadersConfig"].get("Headers", [])):
                return f"cached without {header} in its key"
        if keys["QueryStringsConfig"]["QueryStringBehavior"] != "all":
            return "cached without all of its query in its key"
        if known["CachePolicyConfig"]["MinTTL"] != 0:
            return "cached for longer than its answer says"
        return ""


class QuestionsInKeys(Rule):
    """What a list may be asked follows from the resource classes; API Gateway passes over what is not declared. The
    migration refuses a deploy by what it is told of the keys, so that must be what they are."""

    id = "E9117"
    shortdesc = "Every parameter of a cached list is in its key, and the migration is told of it"

    def match(self, cfn: Template) -> list[RuleMatch]:
        wanted = {f"{QUERY_PARAMETER_PREFIX}{name}" for name in list_parameter_names(load_resources().values())} | {
            "method.request.header.If-None-Match"
        }
        matches = []
        for stage, method, keys in cached(cfn):
            matches += [
                RuleMatch(["Resources", stage], f"{stage} caches {method} without {missing} in its key")
                for missing in sorted(wanted - keys)
            ]
            declared = {key for key in keys if key.startswith(QUERY_PARAMETER_PREFIX)}
            for name, properties in of_type(cfn, "Custom::Migration"):
                told = {one for listed in branches(properties.get("ListParameters", [])) for one in listed}
                matches += [
                    RuleMatch(["Resources", name], f"ListParameters of {name} has no {one}, by which {stage} caches")
                    for one in sorted(declared - told)
                ]
                matches += [
                    RuleMatch(
                        ["Resources", name], f"ListParameters of {name} has {one}, by which {stage} caches nothing"
                    )
                    for one in sorted(told - declared)
                ]
        return matches


class ErrorsNotKept(Rule):
    """CloudFront keeps an error for 10 seconds by itself, also one that says "not yet"."""

    id = "E9118"
    shortdesc = "CloudFront keeps no error"

    def match(self, cfn: Template) -> list[RuleMatch]:
        matches = []
        for name, distribution in of_type(cfn, "AWS::CloudFront::Distribution"):
            listed = distribution["DistributionConfig"].get("CustomErrorResponses", [])
            kept = {error["ErrorCode"] for error in listed if error.get("ErrorCachingMinTTL") == 0}
            matches += [
                RuleMatch(["Resources", name], f"{name} keeps the error {code}")
                for code in sorted({400, 403, 404, 405, 414, 500, 501, 502, 503, 504} - kept)
            ]
        return matches
