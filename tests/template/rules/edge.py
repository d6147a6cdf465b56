"""The edge: what is refused there, and how what is let through travels."""

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
    """Tokens travel in every request."""

    id = "E9119"
    shortdesc = "CloudFront speaks TLS 1.2 or later on both sides, behind a web ACL, with security headers"

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
                faults.append("takes less than TLS 1.2 from clients")
        for origin in entries(configuration["Origins"]):
            spoken = origin["CustomOriginConfig"]
            if spoken["OriginProtocolPolicy"] != "https-only" or spoken["OriginSSLProtocols"] != ["TLSv1.2"]:
                faults.append(f"speaks less than TLS 1.2 to {origin['Id']}")
        for behaviour in behaviours(distribution):
            path = behaviour.get("PathPattern", "*")
            if behaviour["ViewerProtocolPolicy"] != "https-only":
                faults.append(f"takes {path} without TLS")
            if not behaviour.get("ResponseHeadersPolicyId"):
                faults.append(f"answers {path} without security headers")
        return faults


class Firewalls(Rule):
    """Whoever reaches the API by itself has gone round all that the edge refuses."""

    id = "E9120"
    shortdesc = "The API lets nobody in by default, and the edge refuses what is known to be bad"

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
                matches += [RuleMatch(["Resources", name], f"{name} has no rule {rule}") for rule in self._lacking(acl)]
        return matches

    def _lacking(self, acl: Properties) -> list[str]:
        statements = [rule["Statement"] for rule in acl["Rules"]]
        groups = {statement.get("ManagedRuleGroupStatement", {}).get("Name") for statement in statements}
        lacking = sorted(_GROUPS - groups)
        if not any(statement.get("RateBasedStatement", {}).get("AggregateKeyType") == "IP" for statement in statements):
            lacking.append("for the rate of an address")
        if not any("SizeConstraintStatement" in str(statement) for statement in statements):
            lacking.append("for the size of a body")
        return lacking


class FirewallLogs(Rule):
    """A log that holds tokens is a store of tokens."""

    id = "E9121"
    shortdesc = "Every web ACL logs what it refuses, without tokens, keys, cookies and the origin's secret"

    def match(self, cfn: Template) -> list[RuleMatch]:
        logs = [log for _, log in of_type(cfn, "AWS::WAFv2::LoggingConfiguration")]
        matches = []
        for name, acl in of_type(cfn, "AWS::WAFv2::WebACL"):
            found = [log for log in logs if names(log["ResourceArn"], name)]
            if not found:
                matches.append(RuleMatch(["Resources", name], f"{name} has no log"))
            matches += [
                RuleMatch(["Resources", name], f"The log of {name} has the header {header}")
                for header in sorted({"authorization", "cookie", "x-api-key"} | _secret_headers(acl))
                if any(header not in _redacted(log) for log in found)
            ]
        return matches


def _redacted(log: Properties) -> set[str]:
    return {field.get("SingleHeader", {}).get("Name", "") for field in log.get("RedactedFields", [])}


def _secret_headers(value: Any) -> set[str]:
    """The headers that a rule compares with a secret."""
    if isinstance(value, dict):
        found = {header for part in value.values() for header in _secret_headers(part)}
        if "{{resolve:secretsmanager:" in str(value.get("SearchString", "")):
            found.add(value["FieldToMatch"]["SingleHeader"]["Name"])
        return found
    return {header for part in value for header in _secret_headers(part)} if isinstance(value, list) else set()
