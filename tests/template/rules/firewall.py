"""The edge's firewall: managed rules that label, the rules that block by label, their responses, and the capacity."""

import json
from collections.abc import Iterator
from typing import Any

from local.edge.waf.managed_rules import RULE_GROUPS, RuleGroup
from tests.template.rules.reading import Properties, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

# It matches every body over 8 KB, also those that the service accepts.
_NEVER_BLOCKS = "awswaf:managed:aws:core-rule-set:SizeRestrictions_Body"
# In WCU: the AWS WAF Developer Guide lists them with each statement. A group states its own.
_CAPACITY = {"RateBasedStatement": 2, "RegexMatchStatement": 3, "SizeConstraintStatement": 1, "LabelMatchStatement": 1}
_CAPACITY_OF_TRANSFORMATION = 10
_CAPACITY_IN_BASE_PRICE = 1_500


def _edge_acls(cfn: Template) -> Iterator[tuple[str, Properties]]:
    return ((name, acl) for name, acl in of_type(cfn, "AWS::WAFv2::WebACL") if acl["Scope"] == "CLOUDFRONT")


def _managed_groups(acl: Properties) -> Iterator[tuple[Properties, Properties, RuleGroup]]:
    """Each rule with a managed group, its statement, and what AWS documents of the group."""
    for rule in acl["Rules"]:
        statement = rule["Statement"].get("ManagedRuleGroupStatement")
        if statement:
            yield rule, statement, RULE_GROUPS[statement["Name"]]


def _find_parts(part: Any, wanted: str) -> Iterator[Any]:
    """Every value of that key within a part of a template."""
    if isinstance(part, dict):
        for key, value in part.items():
            if key == wanted:
                yield value
            yield from _find_parts(value, wanted)
    elif isinstance(part, list):
        for value in part:
            yield from _find_parts(value, wanted)


class ManagedRulesBlockedByLabel(Rule):
    """The block of a managed group has CloudFront's page as its response, so the group's rules count, and rules of the
    web ACL block by label. A managed rule whose label no rule blocks would let its attacks through."""

    id = "E9183"
    shortdesc = "Every rule of a managed group counts, and a later rule blocks by its label"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} {fault}")
            for name, acl in _edge_acls(cfn)
            for fault in self._list_faults(acl)
        ]

    def _list_faults(self, acl: Properties) -> Iterator[str]:
        blocked_at: dict[str, int] = {}
        for rule in acl["Rules"]:
            if "Block" in rule.get("Action", {}):
                for key in _find_parts(rule["Statement"], "Key"):
                    blocked_at.setdefault(key, rule["Priority"])
        for rule, statement, group in _managed_groups(acl):
            counted = {override["Name"] for override in statement.get("RuleActionOverrides", [])}
            yield from (f"does not count {missing}" for missing in sorted(set(group.blocking_rules) - counted))
            yield from (
                f"counts {extra}, which {statement['Name']} has not" for extra in sorted(counted - set(group.rules))
            )
            for each in sorted(counted & set(group.rules)):
                label = group.build_label(each)
                if label == _NEVER_BLOCKS:
                    continue
                if blocked_at.get(label, -1) <= rule["Priority"]:
                    yield f"counts {each}, and no later rule blocks its label {label}"
        if _NEVER_BLOCKS in blocked_at:
            yield f"blocks by the label {_NEVER_BLOCKS}"


class FirewallResponses(Rule):
    """RFC 9457 also applies to what the firewall refuses. WAF accepts no Content-Type but its own application/json."""

    id = "E9184"
    shortdesc = "Every block of the edge's web ACL has a problem document with its status"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{rule['Name']} of {name} blocks without a problem document of its status")
            for name, acl in _edge_acls(cfn)
            for rule in acl["Rules"]
            if "Block" in rule.get("Action", {}) and not self._has_problem(rule["Action"]["Block"], acl)
        ]

    def _has_problem(self, block: Properties, acl: Properties) -> bool:
        response = block.get("CustomResponse", {})
        body = acl.get("CustomResponseBodies", {}).get(response.get("CustomResponseBodyKey"), {})
        document = json.loads(body.get("Content", "{}"))
        return {"type", "title", "detail"} <= document.keys() and bool(
            document.get("status") == response["ResponseCode"]
        )


class FirewallCapacity(Rule):
    """Each 500 WCU more cost another 0.20 dollars per million requests (AWS WAF Pricing)."""

    id = "E9185"
    shortdesc = f"The edge's web ACL takes at most {_CAPACITY_IN_BASE_PRICE:,} WCU"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name], f"{name} takes {taken:,} WCU")
            for name, acl in _edge_acls(cfn)
            if (taken := compute_capacity(acl)) > _CAPACITY_IN_BASE_PRICE
        ]


def compute_capacity(acl: Properties) -> int:
    """What the rules take, in WCU. A statement of another kind raises KeyError: look up what it takes."""
    groups = sum(group.capacity for _, _, group in _managed_groups(acl))
    transformations = sum(
        _CAPACITY_OF_TRANSFORMATION
        for listed in _find_parts(acl["Rules"], "TextTransformations")
        for transformation in listed
        if transformation["Type"] != "NONE"
    )
    statements = sum(
        _CAPACITY[kind]
        for kind in _list_statement_kinds(acl["Rules"])
        if kind not in {"AndStatement", "OrStatement", "NotStatement", "ManagedRuleGroupStatement"}
    )
    return groups + transformations + statements


def _list_statement_kinds(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for key, value in part.items():
            if key.endswith("Statement") and key != "Statement":
                yield key
            yield from _list_statement_kinds(value)
    elif isinstance(part, list):
        for value in part:
            yield from _list_statement_kinds(value)
