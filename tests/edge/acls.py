"""Web ACLs as the WAF API returns them, and requests to evaluate."""

from typing import Any

from local.edge.http_messages import Request
from local.edge.waf.statements import RateCounter
from local.edge.waf.web_acl import BlockDecision, WebAcl

NO_TRANSFORMATION = [{"Priority": 0, "Type": "NONE"}]


def build_rule(statement: dict[str, Any], **overrides: Any) -> dict[str, Any]:
    """A rule that blocks, unless `overrides` contains another action."""
    has_action = "OverrideAction" in overrides or "Action" in overrides
    action: dict[str, Any] = {} if has_action else {"Action": {"Block": {}}}
    return {"Name": "one", "Priority": 0, "Statement": statement, "VisibilityConfig": {}, **action, **overrides}


def build_acl(*rules: dict[str, Any], **overrides: Any) -> WebAcl:
    ordered = [{**rule, "Priority": priority} for priority, rule in enumerate(rules)]
    config = {"Name": "acl", "DefaultAction": {"Allow": {}}, "Rules": ordered, **overrides}
    return WebAcl(config, RateCounter())


def build_group_rule(group: str, *counted_rules: str, **overrides: Any) -> dict[str, Any]:
    """A rule with a managed rule group of AWS, some of whose rules are only counted."""
    actions = [{"Name": name, "ActionToUse": {"Count": {}}} for name in counted_rules]
    statement = {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": group, "RuleActionOverrides": actions}}
    return build_rule(statement, **{"OverrideAction": {"None": {}}, **overrides})


def build_request(
    target: str = "/v1/airports", method: str = "GET", body: bytes = b"", client: str = "127.0.0.1", **headers: str
) -> Request:
    """A request; the keywords are headers, and an empty value omits a default header."""
    path, _, query = target.partition("?")
    merged = {"host": "localhost", "user-agent": "tests", "accept": "*/*"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    if body:
        merged = {"content-type": "application/json", "content-length": str(len(body))} | merged
    return Request(method, path, query, [(name, value) for name, value in merged.items() if value], body, client)


def find_block(acl: WebAcl, request: Request, now: float = 0.0) -> BlockDecision | None:
    return acl.find_block(request, now)
