"""What a web ACL's rules say of a request, and what of a web ACL is refused."""

import re
from typing import Any

import pytest

from local.edge.config_checks import UnsupportedConfiguration
from tests.edge.acls import NO_TRANSFORMATION, build_acl, build_request, build_rule, find_block


def _match(wanted: str, position: str = "EXACTLY", **field: Any) -> dict[str, Any]:
    part = field or {"SingleHeader": {"Name": "X-Key"}}
    statement = {
        "SearchString": wanted.encode(),
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
def test_where_a_text_is_looked_for(position: str, value: str, blocked: bool) -> None:
    assert (
        find_block(build_acl(build_rule(_match("secret", position))), build_request(x_key=value)) is not None
    ) == blocked


def test_statements_are_joined() -> None:
    path = _match("/v1/a", UriPath={})
    both = {"AndStatement": {"Statements": [path, {"NotStatement": {"Statement": _match("secret")}}]}}
    either = {"OrStatement": {"Statements": [path, _match("secret")]}}
    asked = [
        build_request("/v1/a"),
        build_request("/v1/a", x_key="secret"),
        build_request("/v1/b", x_key="secret"),
        build_request("/v1/b"),
    ]
    assert [find_block(build_acl(build_rule(both)), each) is not None for each in asked] == [True, False, False, False]
    assert [find_block(build_acl(build_rule(either)), each) is not None for each in asked] == [True, True, True, False]


def test_what_is_changed_before_it_is_looked_at() -> None:
    steps = [{"Priority": 1, "Type": "LOWERCASE"}, {"Priority": 0, "Type": "URL_DECODE"}]
    made = _match("union", "CONTAINS", QueryString={})
    made["ByteMatchStatement"]["TextTransformations"] = steps
    assert find_block(build_acl(build_rule(made)), build_request("/?q=%55NION"))
    made["ByteMatchStatement"]["TextTransformations"] = NO_TRANSFORMATION
    assert not find_block(build_acl(build_rule(made)), build_request("/?q=%55NION"))
    spaced = _match(" b ", "ENDS_WITH")
    spaced["ByteMatchStatement"]["TextTransformations"] = [{"Priority": 0, "Type": "COMPRESS_WHITE_SPACE"}]
    assert find_block(build_acl(build_rule(spaced)), build_request(x_key="a \t b\xa0 "))


@pytest.mark.parametrize(
    ("comparison", "blocked"), [("GT", [4, 5]), ("GE", [3, 4, 5]), ("EQ", [3]), ("LT", [1, 2]), ("NE", [1, 2, 4, 5])]
)
def test_sizes(comparison: str, blocked: list[int]) -> None:
    size = {
        "ComparisonOperator": comparison,
        "Size": 3,
        "FieldToMatch": {"Body": {}},
        "TextTransformations": NO_TRANSFORMATION,
    }
    made = build_acl(build_rule({"SizeConstraintStatement": size}))
    assert [n for n in range(1, 6) if find_block(made, build_request(method="PUT", body=b"x" * n))] == blocked


@pytest.mark.parametrize(("handling", "blocked"), [("MATCH", True), ("NO_MATCH", False), ("CONTINUE", False)])
def test_a_body_beyond_what_the_firewall_is_given(handling: str, blocked: bool) -> None:
    size = {
        "ComparisonOperator": "GT",
        "Size": 65_536,
        "FieldToMatch": {"Body": {"OversizeHandling": handling}},
        "TextTransformations": NO_TRANSFORMATION,
    }
    limit = {"RequestBody": {"CLOUDFRONT": {"DefaultSizeInspectionLimit": "KB_64"}}}
    made = build_acl(build_rule({"SizeConstraintStatement": size}), AssociationConfig=limit)
    assert not find_block(made, build_request(method="PUT", body=b"x" * 65_536))
    assert (find_block(made, build_request(method="PUT", body=b"x" * 65_537)) is not None) == blocked


def test_a_number_told_by_its_digits() -> None:
    digits = {
        "RegexString": "^[0-9]{5,}$",
        "FieldToMatch": {"SingleHeader": {"Name": "content-length"}},
        "TextTransformations": NO_TRANSFORMATION,
    }
    made = build_acl(build_rule({"RegexMatchStatement": digits}))
    assert find_block(made, build_request(content_length="10000"))
    assert not find_block(made, build_request(content_length="9999"))


def _rate(limit: int = 10, **more: Any) -> dict[str, Any]:
    return {"RateBasedStatement": {"Limit": limit, "EvaluationWindowSec": 60, "AggregateKeyType": "IP", **more}}


def test_a_rate_is_of_one_address_and_of_the_window() -> None:
    made = build_acl(build_rule(_rate()))
    assert [find_block(made, build_request(), now=n) is None for n in range(12)] == [True] * 10 + [False] * 2
    assert find_block(made, build_request(client="127.0.0.2"), now=12) is None
    # Of the 12 in the minute before, the first 3 are older now; the next one is the tenth.
    assert find_block(made, build_request(), now=62.5) is None
    assert find_block(made, build_request(), now=62.6)


def test_a_rate_counts_only_its_scope_and_all_addresses_when_it_says_so() -> None:
    scoped = build_acl(build_rule(_rate(ScopeDownStatement=_match("POST", Method={}))))
    assert all(find_block(scoped, build_request()) is None for _ in range(30))
    assert [find_block(scoped, build_request(method="POST")) is None for _ in range(11)] == [True] * 10 + [False]
    together = build_acl(build_rule(_rate(AggregateKeyType="CONSTANT")))
    assert [find_block(together, build_request(client=f"127.0.0.{n}")) is None for n in range(1, 12)] == [True] * 10 + [
        False
    ]


def test_the_first_rule_that_decides_does_and_counting_decides_nothing() -> None:
    counted = build_rule(_match("/v1/a", UriPath={}), Action={"Count": {}}, RuleLabels=[{"Name": "a"}])
    allowed = build_rule(_match("secret"), Action={"Allow": {}})
    labelled = build_rule({"LabelMatchStatement": {"Scope": "LABEL", "Key": "a"}}, Name="labelled")
    made = build_acl(counted, allowed, labelled)
    assert find_block(made, build_request("/v1/b")) is None
    assert find_block(made, build_request("/v1/a", x_key="secret")) is None
    blocked = find_block(made, build_request("/v1/a"))
    assert blocked
    assert blocked.rule_name == "labelled"


def test_what_no_rule_decides_the_default_does_and_answers_can_be_its_own() -> None:
    own = {
        "CustomResponse": {
            "ResponseCode": 418,
            "CustomResponseBodyKey": "pot",
            "ResponseHeaders": [{"Name": "Retry-After", "Value": "9"}],
        }
    }
    bodies = {"pot": {"ContentType": "APPLICATION_JSON", "Content": '{"a":1}'}}
    made = build_acl(
        build_rule(_match("secret"), Action={"Allow": {}}), DefaultAction={"Block": own}, CustomResponseBodies=bodies
    )
    assert find_block(made, build_request(x_key="secret")) is None
    blocked = find_block(made, build_request())
    assert blocked
    assert blocked.response
    assert (blocked.response.status, blocked.response.body) == (418, b'{"a":1}')
    assert (blocked.response.get_header("content-type"), blocked.response.get_header("retry-after")) == (
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
def test_what_is_not_understood_is_refused_by_name(broken: dict[str, Any], words: str) -> None:
    with pytest.raises(UnsupportedConfiguration, match=re.escape(words)):
        build_acl(broken)


def test_a_transformation_that_is_not_made_is_refused() -> None:
    made = _match("a")
    made["ByteMatchStatement"]["TextTransformations"] = [{"Priority": 0, "Type": "MD5"}]
    with pytest.raises(UnsupportedConfiguration, match="MD5"):
        build_acl(build_rule(made))


def test_a_part_of_the_web_acl_itself_that_is_not_known_is_refused() -> None:
    with pytest.raises(UnsupportedConfiguration, match="DataProtectionConfig"):
        build_acl(DataProtectionConfig={})
