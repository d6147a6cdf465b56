"""The decisions of a web ACL, and the parts of a web ACL that the edge rejects."""

import re
from typing import Any

import pytest

from local.edge.config_checks import UnsupportedConfiguration
from tests.edge.acls import NO_TRANSFORMATION, build_acl, build_request, build_rule, find_block


def _match(expected: str, position: str = "EXACTLY", **field: Any) -> dict[str, Any]:
    part = field or {"SingleHeader": {"Name": "X-Key"}}
    statement = {
        "SearchString": expected.encode(),
        "FieldToMatch": part,
        "TextTransformations": NO_TRANSFORMATION,
        "PositionalConstraint": position,
    }
    return {"ByteMatchStatement": statement}


@pytest.mark.parametrize(
    ("position", "value", "blocked"),
    [
        ("EXACTLY", "secret", True),
        ("EXACTLY", "secrets", False),
        ("STARTS_WITH", "secrets", True),
        ("STARTS_WITH", "a secret", False),
        ("ENDS_WITH", "a secret", True),
        ("ENDS_WITH", "secrets", False),
        ("CONTAINS", "a secrets", True),
        ("CONTAINS", "a sec", False),
    ],
)
def test_positional_constraints(position: str, value: str, blocked: bool) -> None:
    assert (
        find_block(build_acl(build_rule(_match("secret", position))), build_request(x_key=value)) is not None
    ) == blocked


def test_logical_statements() -> None:
    path = _match("/v1/a", UriPath={})
    both = {"AndStatement": {"Statements": [path, {"NotStatement": {"Statement": _match("secret")}}]}}
    either = {"OrStatement": {"Statements": [path, _match("secret")]}}
    requests = [
        build_request("/v1/a"),
        build_request("/v1/a", x_key="secret"),
        build_request("/v1/b", x_key="secret"),
        build_request("/v1/b"),
    ]
    assert [find_block(build_acl(build_rule(both)), request) is not None for request in requests] == [
        True,
        False,
        False,
        False,
    ]
    assert [find_block(build_acl(build_rule(either)), request) is not None for request in requests] == [
        True,
        True,
        True,
        False,
    ]


def test_text_transformations() -> None:
    steps = [{"Priority": 1, "Type": "LOWERCASE"}, {"Priority": 0, "Type": "URL_DECODE"}]
    statement = _match("union", "CONTAINS", QueryString={})
    statement["ByteMatchStatement"]["TextTransformations"] = steps
    assert find_block(build_acl(build_rule(statement)), build_request("/?q=%55NION"))
    statement["ByteMatchStatement"]["TextTransformations"] = NO_TRANSFORMATION
    assert not find_block(build_acl(build_rule(statement)), build_request("/?q=%55NION"))
    spaced = _match(" b ", "ENDS_WITH")
    spaced["ByteMatchStatement"]["TextTransformations"] = [{"Priority": 0, "Type": "COMPRESS_WHITE_SPACE"}]
    assert find_block(build_acl(build_rule(spaced)), build_request(x_key="a \t b\xa0 "))


@pytest.mark.parametrize(
    ("comparison", "blocked"), [("GT", [4, 5]), ("GE", [3, 4, 5]), ("EQ", [3]), ("LT", [1, 2]), ("NE", [1, 2, 4, 5])]
)
def test_size_constraints(comparison: str, blocked: list[int]) -> None:
    size = {
        "ComparisonOperator": comparison,
        "Size": 3,
        "FieldToMatch": {"Body": {}},
        "TextTransformations": NO_TRANSFORMATION,
    }
    acl = build_acl(build_rule({"SizeConstraintStatement": size}))
    assert [n for n in range(1, 6) if find_block(acl, build_request(method="PUT", body=b"x" * n))] == blocked


@pytest.mark.parametrize(("handling", "blocked"), [("MATCH", True), ("NO_MATCH", False), ("CONTINUE", False)])
def test_oversize_handling_of_a_body(handling: str, blocked: bool) -> None:
    size = {
        "ComparisonOperator": "GT",
        "Size": 65_536,
        "FieldToMatch": {"Body": {"OversizeHandling": handling}},
        "TextTransformations": NO_TRANSFORMATION,
    }
    limit = {"RequestBody": {"CLOUDFRONT": {"DefaultSizeInspectionLimit": "KB_64"}}}
    acl = build_acl(build_rule({"SizeConstraintStatement": size}), AssociationConfig=limit)
    assert not find_block(acl, build_request(method="PUT", body=b"x" * 65_536))
    assert (find_block(acl, build_request(method="PUT", body=b"x" * 65_537)) is not None) == blocked


def test_a_number_is_matched_by_its_digits() -> None:
    digits = {
        "RegexString": "^[0-9]{5,}$",
        "FieldToMatch": {"SingleHeader": {"Name": "content-length"}},
        "TextTransformations": NO_TRANSFORMATION,
    }
    acl = build_acl(build_rule({"RegexMatchStatement": digits}))
    assert find_block(acl, build_request(content_length="10000"))
    assert not find_block(acl, build_request(content_length="9999"))


def _rate(limit: int = 10, **overrides: Any) -> dict[str, Any]:
    return {"RateBasedStatement": {"Limit": limit, "EvaluationWindowSec": 60, "AggregateKeyType": "IP", **overrides}}


def test_a_rate_limit_counts_by_address_within_the_window() -> None:
    acl = build_acl(build_rule(_rate()))
    assert [find_block(acl, build_request(), now=n) is None for n in range(12)] == [True] * 10 + [False] * 2
    assert find_block(acl, build_request(client="127.0.0.2"), now=12) is None
    # Of the 12 requests, the first 3 are now older than a minute, so this one is the tenth.
    assert find_block(acl, build_request(), now=62.5) is None
    assert find_block(acl, build_request(), now=62.6)


def test_a_rate_limit_counts_its_scope_only_and_with_a_constant_key_all_addresses() -> None:
    scoped = build_acl(build_rule(_rate(ScopeDownStatement=_match("POST", Method={}))))
    assert all(find_block(scoped, build_request()) is None for _ in range(30))
    assert [find_block(scoped, build_request(method="POST")) is None for _ in range(11)] == [True] * 10 + [False]
    together = build_acl(build_rule(_rate(AggregateKeyType="CONSTANT")))
    assert [find_block(together, build_request(client=f"127.0.0.{n}")) is None for n in range(1, 12)] == [True] * 10 + [
        False
    ]


def test_the_first_rule_that_blocks_or_allows_decides() -> None:
    counted = build_rule(_match("/v1/a", UriPath={}), Action={"Count": {}}, RuleLabels=[{"Name": "a"}])
    allowed = build_rule(_match("secret"), Action={"Allow": {}})
    labelled = build_rule({"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}, Name="labelled")
    acl = build_acl(counted, allowed, labelled)
    assert find_block(acl, build_request("/v1/b")) is None
    assert find_block(acl, build_request("/v1/a", x_key="secret")) is None
    block = find_block(acl, build_request("/v1/a"))
    assert block
    assert block.rule_name == "labelled"


def test_the_default_action_and_custom_responses() -> None:
    custom = {
        "CustomResponse": {
            "ResponseCode": 418,
            "CustomResponseBodyKey": "pot",
            "ResponseHeaders": [{"Name": "Retry-After", "Value": "9"}],
        }
    }
    bodies = {"pot": {"ContentType": "APPLICATION_JSON", "Content": '{"a":1}'}}
    acl = build_acl(
        build_rule(_match("secret"), Action={"Allow": {}}), DefaultAction={"Block": custom}, CustomResponseBodies=bodies
    )
    assert find_block(acl, build_request(x_key="secret")) is None
    block = find_block(acl, build_request())
    assert block
    assert block.response
    assert (block.response.status, block.response.body) == (418, b'{"a":1}')
    assert (block.response.get_header("content-type"), block.response.get_header("retry-after")) == (
        "application/json",
        "9",
    )


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (build_rule({"GeoMatchStatement": {"CountryCodes": ["IS"]}}), "does not enforce GeoMatchStatement"),
        (build_rule({"IPSetReferenceStatement": {"ARN": "a"}}), "IPSetReferenceStatement"),
        (build_rule(_match("a", "CONTAINS_WORD")), "CONTAINS_WORD"),
        (build_rule(_match("a", Cookies={"MatchPattern": {}})), "Cookies"),
        (build_rule({"ByteMatchStatement": {**_match("a")["ByteMatchStatement"], "New": 1}}), "New"),
        (build_rule(_match("a"), Action={"Captcha": {}}), "Captcha"),
        (build_rule(_match("a"), ChallengeConfig={}), "ChallengeConfig"),
        (build_rule(_rate(AggregateKeyType="CUSTOM_KEYS")), "CUSTOM_KEYS"),
        (build_rule(_rate(limit=9)), "limits from 10"),
        (build_rule(_rate(EvaluationWindowSec=61)), "windows of"),
        (
            build_rule(
                {"ManagedRuleGroupStatement": {"VendorName": "AWS", "Name": "AWSManagedRulesBotControlRuleSet"}},
                OverrideAction={"None": {}},
            ),
            "no substitute for the managed rule group AWS AWSManagedRulesBotControlRuleSet",
        ),
        (
            build_rule(
                _match("a"), Action={"Block": {"CustomResponse": {"ResponseCode": 400, "CustomResponseBodyKey": "no"}}}
            ),
            "CustomResponseBodies",
        ),
        (build_rule({"LabelMatchStatement": {"Scope": "NAMESPACE", "Key": "a"}}), "whole name"),
        (build_rule({**_match("a"), **_rate()}), "not 2"),
    ],
)
def test_an_unsupported_part_is_rejected_by_name(broken: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedConfiguration, match=re.escape(words)):
        build_acl(broken)


def test_an_unsupported_transformation_is_rejected() -> None:
    statement = _match("a")
    statement["ByteMatchStatement"]["TextTransformations"] = [{"Priority": 0, "Type": "MD5"}]
    with pytest.raises(UnsupportedConfiguration, match="MD5"):
        build_acl(build_rule(statement))


def test_an_unknown_key_of_the_web_acl_is_rejected() -> None:
    with pytest.raises(UnsupportedConfiguration, match="DataProtectionConfig"):
        build_acl(DataProtectionConfig={})
