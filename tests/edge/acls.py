"""Web ACLs as WAF's API gives them, and requests to judge."""

from typing import Any

from local.edge.http_messages import Request
from local.edge.waf.statements import RateCounter
from local.edge.waf.web_acl import BlockDecision, WebAcl

NO_TRANSFORMATION = [{"Priority": 0, "Type": "NONE"}]


def build_rule(statement: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A rule that blocks, unless another action is given."""
    action: dict[str, Any] = {} if "OverrideAction" in more or "Action" in more else {"Action": {"Block": {}}}
    return {"Name": "one", "Priority": 0, "Statement": statement, "VisibilityConfig": {}, **action, **more}


def build_acl(*rules: dict[str, Any], **more: Any) -> WebAcl:
    numbered = [{**each, "Priority": number} for number, each in enumerate(rules)]
    return WebAcl({"Name": "acl", "DefaultAction": {"Allow": {}}, "Rules": numbered, **more}, RateCounter())


def build_group_rule(name: str, *counted: str, **more: Any) -> dict[str, Any]:
    """A rule with one of AWS's managed groups, some of whose rules are only counted."""
    overrides = [{"Name": each, "ActionToUse": {"Count": {}}} for each in counted]
    statement = {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": name, "RuleActionOverrides": overrides}}
    return build_rule(statement, **{"OverrideAction": {"None": {}}, **more})


def build_request(
    target: str = "/v1/airports", method: str = "GET", body: bytes = b"", client: str = "127.0.0.1", **headers: str
) -> Request:
    path, _, query = target.partition("?")
    given = {"host": "localhost", "user-agent": "tests", "accept": "*/*"} | {
        k.replace("_", "-"): v for k, v in headers.items()
    }
    if body:
        given = {"content-type": "application/json", "content-length": str(len(body))} | given
    return Request(method, path, query, [(name, value) for name, value in given.items() if value], body, client)


def find_block(made: WebAcl, asked: Request, now: float = 0.0) -> BlockDecision | None:
    return made.find_block(asked, now)
