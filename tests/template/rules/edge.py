"""The edge: TLS, cookies, policies, web ACLs and their logs."""

from typing import Any

from tests.template.rules.caches import behaviours
from tests.template.rules.reading import Properties, branches, entries, names, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

_GROUPS = {
    "AWSManagedRulesAmazonIpReputationList",
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesSQLiRuleSet",
}


class EdgeTransport(Rule):
    """Every request carries a token, so it needs TLS."""

    id = "E9119"
    shortdesc = "CloudFront uses TLS 1.2 or later on both sides, a web ACL and security headers"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} {fault}")
            for name, distribution in of_type(cfn, "AWS::CloudFront::Distribution")
            for fault in self._faults(distribution)
        ]

    def _faults(self, distribution: Properties) -> list[str]:
        configuration = distribution["DistributionConfig"]
        faults = []
        if not configuration.get("WebACLId"):
            faults.append("has no web ACL")
        for certificate in branches(configuration.get("ViewerCertificate", {})):
            lowest = str(certificate.get("MinimumProtocolVersion", ""))
            if not certificate.get("CloudFrontDefaultCertificate") and not lowest.startswith(("TLSv1.2", "TLSv1.3")):
                faults.append("accepts less than TLS 1.2 from clients")
        for origin in entries(configuration["Origins"]):
            connection = origin["CustomOriginConfig"]
            if connection["OriginProtocolPolicy"] != "https-only" or connection["OriginSSLProtocols"] != ["TLSv1.2"]:
                faults.append(f"uses less than TLS 1.2 to {origin['Id']}")
        for behaviour in behaviours(distribution):
            path = behaviour.get("PathPattern", "*")
            if behaviour["ViewerProtocolPolicy"] != "https-only":
                faults.append(f"accepts {path} without TLS")
            if not behaviour.get("ResponseHeadersPolicyId"):
                faults.append(f"serves {path} without security headers")
        return faults


class Firewalls(Rule):
    """A direct request to the API would bypass the rules of the edge."""

    id = "E9120"
    shortdesc = "The API's web ACL blocks by default, and the edge has the managed rule groups and limits"

    def match(self, cfn: Template) -> list[RuleMatch]:
        matches = []
        acls = dict(of_type(cfn, "AWS::WAFv2::WebACL"))
        associations = dict(of_type(cfn, "AWS::WAFv2::WebACLAssociation"))
        for stage, _ in of_type(cfn, "AWS::ApiGateway::Stage"):
            guards = [link["WebACLArn"] for link in associations.values() if names(link["ResourceArn"], stage)]
            blocking = [name for name, acl in acls.items() if "Block" in acl["DefaultAction"]]
            if not any(names(guard, name) for guard in guards for name in blocking):
                matches.append(RuleMatch(["Resources", stage], f"{stage} has no web ACL that blocks by default"))
        for name, acl in acls.items():
            if acl["Scope"] == "CLOUDFRONT":
                matches += [
                    RuleMatch(["Resources", name], f"{name} has no rule {rule}") for rule in self._missing_rules(acl)
                ]
        return matches

    def _missing_rules(self, acl: Properties) -> list[str]:
        statements = [rule["Statement"] for rule in acl["Rules"]]
        groups = {statement.get("ManagedRuleGroupStatement", {}).get("Name") for statement in statements}
        missing = sorted(_GROUPS - groups)
        if not any(statement.get("RateBasedStatement", {}).get("AggregateKeyType") == "IP" for statement in statements):
            missing.append("for the rate of an IP address")
        if not any("SizeConstraintStatement" in str(statement) for statement in statements):
            missing.append("for the size of a body")
        return missing


class FirewallLogs(Rule):
    """A log with tokens leaks tokens. The managed rules count many requests that pass."""

    id = "E9121"
    shortdesc = "Every web ACL logs blocked requests only, without tokens, API keys, cookies and the origin secret"

    def match(self, cfn: Template) -> list[RuleMatch]:
        logs = [log for _, log in of_type(cfn, "AWS::WAFv2::LoggingConfiguration")]
        matches = []
        for name, acl in of_type(cfn, "AWS::WAFv2::WebACL"):
            acl_logs = [log for log in logs if names(log["ResourceArn"], name)]
            if not acl_logs:
                matches.append(RuleMatch(["Resources", name], f"{name} has no log"))
            if any(_kept_actions(log) != {"BLOCK"} for log in acl_logs):
                matches.append(RuleMatch(["Resources", name], f"The log of {name} has more than the blocked requests"))
            matches += [
                RuleMatch(["Resources", name], f"The log of {name} does not redact the header {header}")
                for header in sorted({"authorization", "cookie", "x-api-key"} | _secret_headers(acl))
                if any(header not in _redacted(log) for log in acl_logs)
            ]
        return matches


class NoCookiesForwarded(Rule):
    """CloudFront supports no conditional requests (If-None-Match) where it forwards cookies: Amazon CloudFront
    Developer Guide, "Cache content based on cookies"."""

    id = "E9180"
    shortdesc = "CloudFront forwards no cookies"

    def match(self, cfn: Template) -> list[RuleMatch]:
        cache_policies, request_policies = (
            dict(of_type(cfn, f"AWS::CloudFront::{kind}")) for kind in ("CachePolicy", "OriginRequestPolicy")
        )
        return [
            RuleMatch(["Resources", name], f"{name} may forward cookies for {behaviour.get('PathPattern', '*')}")
            for name, distribution in of_type(cfn, "AWS::CloudFront::Distribution")
            for behaviour in behaviours(distribution)
            # CallerInKeys accepts no cache policy but those of the template and the one that caches nothing.
            if _may_forward_cookies(behaviour.get("CachePolicyId"), cache_policies, otherwise=False)
            or _may_forward_cookies(behaviour.get("OriginRequestPolicyId"), request_policies, otherwise=True)
        ]


def _may_forward_cookies(policy: Any, policies: dict[str, Properties], *, otherwise: bool) -> bool:
    """`otherwise` is the answer for a policy that is not in the template."""
    properties = policies.get(policy["Ref"]) if isinstance(policy, dict) else None
    if properties is None:
        return otherwise and policy is not None
    [config] = properties.values()
    parts = config.get("ParametersInCacheKeyAndForwardedToOrigin", config)
    return bool(parts["CookiesConfig"]["CookieBehavior"] != "none")


class NamesUniqueInAccount(Rule):
    """CloudFront is not a service of one Region: the name of a policy must be unique in the account."""

    id = "E9181"
    shortdesc = "The name of a CloudFront policy has the id of the stack"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"The name of {name} would be the same in another Region")
            for kind in ("CachePolicy", "OriginRequestPolicy", "ResponseHeadersPolicy")
            for name, properties in of_type(cfn, f"AWS::CloudFront::{kind}")
            # The id only, so that the name is as short for a stack with a long name (128 characters at most).
            if {"Fn::Select": [2, {"Fn::Split": ["/", {"Ref": "AWS::StackId"}]}]}
            not in properties[f"{kind}Config"]["Name"].get("Fn::Join", ["", []])[1]
        ]


def _kept_actions(log: Properties) -> set[str]:
    """The actions whose requests a log keeps; ALL without a filter."""
    log_filter = log.get("LoggingFilter", {})
    kept = {
        condition.get("ActionCondition", {}).get("Action", "ALL")
        for part in log_filter.get("Filters", [])
        for condition in part["Conditions"]
        if part["Behavior"] == "KEEP"
    }
    return kept if log_filter.get("DefaultBehavior") == "DROP" else {"ALL"}


def _redacted(log: Properties) -> set[str]:
    return {field.get("SingleHeader", {}).get("Name", "") for field in log.get("RedactedFields", [])}


def _secret_headers(value: Any) -> set[str]:
    """The headers that a rule compares with a secret."""
    if isinstance(value, dict):
        headers = {header for part in value.values() for header in _secret_headers(part)}
        if "{{resolve:secretsmanager:" in str(value.get("SearchString", "")):
            headers.add(value["FieldToMatch"]["SingleHeader"]["Name"])
        return headers
    return {header for part in value for header in _secret_headers(part)} if isinstance(value, list) else set()
