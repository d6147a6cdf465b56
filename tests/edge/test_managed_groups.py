"""The substitutes for AWS's managed rule groups match each kind of attack in each part of a request, and respect rules
that are only counted."""

import json
from typing import Any
from urllib.parse import quote

import pytest

from local.edge.config_checks import UnsupportedConfiguration
from local.edge.http_messages import Request
from local.edge.waf import modsecurity, rule_engine
from local.edge.waf.inspected_body import extract_inspected_body
from local.edge.waf.managed_rules import RULE_GROUPS
from local.edge.waf.modsecurity import CoreRuleSet, RuleMatch
from local.edge.waf.rule_engine import RuleEngine
from local.edge.waf.web_acl import WebAcl
from tests.edge.acls import build_acl, build_group_rule, build_request, build_rule, find_block

COMMON, KNOWN, SQL, ADDRESSES = (
    f"AWSManagedRules{name}"
    for name in ("CommonRuleSet", "KnownBadInputsRuleSet", "SQLiRuleSet", "AmazonIpReputationList")
)


@pytest.fixture(scope="module")
def managed_acl() -> WebAcl:
    return build_acl(*(build_group_rule(name, Name=name) for name in (ADDRESSES, COMMON, KNOWN, SQL)))


def encode_item(value: str) -> bytes:
    return json.dumps({"icao": "EDDF", "name": value, "lat": 50.03}, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("http_request", "name", "matched"),
    [
        (build_request("/v1/airports?country=PT'%20or%201=1--"), SQL, "SQLi_QUERYARGUMENTS"),
        (build_request("/v1/airports/PT'%20or%201=1--"), SQL, "SQLi_URIPATH"),
        (build_request(method="PUT", body=encode_item("a' union select 1,2 from users --")), SQL, "SQLi_BODY"),
        (build_request(cookie="session=1'%20or%201=1--"), SQL, "SQLi_COOKIE"),
        (
            build_request("/v1/airports?country=%3Cscript%3Ealert(1)%3C/script%3E"),
            COMMON,
            "CrossSiteScripting_QUERYARGUMENTS",
        ),
        (build_request(method="PUT", body=encode_item("<script>alert(1)</script>")), COMMON, "CrossSiteScripting_BODY"),
        (build_request("/v1/airports/..%2f..%2fetc%2fpasswd"), COMMON, "GenericLFI_URIPATH"),
        (build_request("/v1/airports?fields=../../../../etc/passwd"), COMMON, "GenericLFI_QUERYARGUMENTS"),
        (
            build_request("/v1/airports?fields=http://169.254.169.254/latest/meta-data"),
            COMMON,
            "EC2MetaDataSSRF_QUERYARGUMENTS",
        ),
        (build_request("/v1/airports?limit=1%0d%0aSet-Cookie:%20a=b"), COMMON, "CrossSiteScripting_QUERYARGUMENTS"),
        (build_request(user_agent=""), COMMON, "NoUserAgent_HEADER"),
        (build_request(user_agent="nikto"), COMMON, "UserAgent_BadBots_HEADER"),
        (build_request("/v1/airports?after=" + "a" * 2_043), COMMON, "SizeRestrictions_QUERYSTRING"),
        (build_request("/v1/" + "a" * 1_021), COMMON, "SizeRestrictions_URIPATH"),
        (build_request(method="PUT", body=b'"' + b"a" * 8_191 + b'"'), COMMON, "SizeRestrictions_BODY"),
        (build_request(method="PROPFIND"), KNOWN, "PROPFIND_METHOD"),
        (
            build_request(method="PUT", body=encode_item("java.lang.Runtime.getRuntime().exec")),
            KNOWN,
            "JavaDeserializationRCE_BODY",
        ),
        (build_request(method="PUT", body=encode_item("${jndi:ldap://example.com/a}")), KNOWN, "Log4JRCE_BODY"),
        (build_request("/v1/airports", referer="${jndi:ldap://example.com/a}"), KNOWN, "Log4JRCE_HEADER"),
        (build_request(method="PUT", body=encode_item(";cat /etc/shadow")), COMMON, "GenericLFI_BODY"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_kind_of_attack_is_matched_where_it_is(
    managed_acl: WebAcl, http_request: Request, name: str, matched: str
) -> None:
    block = find_block(managed_acl, http_request)
    assert block
    assert (block.rule_name, any(rule.startswith(matched) for rule in block.matched_rules)) == (
        name,
        True,
    )


@pytest.mark.parametrize(
    "http_request",
    [
        build_request("/v1/airports?country=PT&elevation.gte=100&sort=-elevation&fields=name,city"),
        build_request("/v1/airports?after=" + "a" * 2_040),
        build_request(method="PUT", body=encode_item("Chicago O'Hare (north) & D'Arcy's; Ísafjörður, 東京 -- gate #4")),
        build_request(method="PUT", body=encode_item("Milford Municipal/Ben And Judy Briscoe Field")),
        build_request(method="PUT", body=encode_item("Bucholz Army Air Field(Kwajalein Kmr)(Atoll) Airport")),
        build_request(method="PUT", body=encode_item("http://www.elliston.sa.gov.au")),
        build_request(
            method="POST",
            body=encode_item("D'Arcy") + b"\n" + encode_item("select seats") + b"\n",
            content_type="application/x-ndjson",
        ),
        build_request("/v1/airports/EDDF", user_agent="python-urllib3/2.8.0", accept=""),
        build_request("/v1/airports/EDDF", user_agent="python-requests/2.32.5"),
        build_request("/v1/airports/EDDF", if_none_match='"01M83TX6AKPEC90XWTBJRZ90MF"', authorization="Bearer a.b.c"),
    ],
)
def test_requests_of_real_clients_pass(managed_acl: WebAcl, http_request: Request) -> None:
    assert find_block(managed_acl, http_request) is None


def test_a_counted_rule_does_not_block_and_the_others_do() -> None:
    large = build_request(method="PUT", body=b'"' + b"a" * 9_000 + b'"')
    assert find_block(build_acl(build_group_rule(COMMON, "SizeRestrictions_BODY")), large) is None
    body = build_request(method="PUT", body=encode_item("<script>alert(1)</script>"))
    query = build_request("/v1/airports?country=%3Cscript%3Ealert(1)%3C/script%3E")
    counting = build_acl(build_group_rule(COMMON, "CrossSiteScripting_BODY"))
    assert (find_block(counting, body), find_block(counting, query) is not None) == (None, True)
    assert find_block(build_acl(build_group_rule(COMMON, OverrideAction={"Count": {}})), query) is None


def test_a_group_matches_its_own_kind_of_attack_only() -> None:
    traversal = build_request("/v1/airports?fields=../../../../etc/passwd")
    assert find_block(build_acl(build_group_rule(COMMON)), traversal)
    assert find_block(build_acl(build_group_rule(SQL)), traversal) is None
    assert find_block(build_acl(build_group_rule(ADDRESSES)), traversal) is None


def _build_label_rule(*labels: str) -> dict[str, Any]:
    statements = [{"LabelMatchStatement": {"Scope": "LABEL", "Key": f"awswaf:managed:aws:{key}"}} for key in labels]
    return build_rule({"OrStatement": {"Statements": statements}}, Name="by-label")


def test_a_rule_that_counts_labels_the_request_and_the_group_goes_on() -> None:
    request = build_request(
        "/v1/airports?country=%3Cscript%3Ealert(1)%3C/script%3E",
        "PUT",
        encode_item("<script>alert(1)</script>"),
    )
    labels = "core-rule-set:CrossSiteScripting_Body", "core-rule-set:CrossSiteScripting_QueryArguments"
    counting = build_group_rule(COMMON, "CrossSiteScripting_BODY", "CrossSiteScripting_QUERYARGUMENTS")
    for label in labels:
        block = find_block(build_acl(counting, _build_label_rule(label)), request)
        assert block
        assert (block.rule_name, {f"awswaf:managed:aws:{label}" for label in labels} <= set(block.matched_rules)) == (
            "by-label",
            True,
        )
    assert find_block(build_acl(counting, _build_label_rule("core-rule-set:SizeRestrictions_Body")), request) is None


def test_a_rule_that_blocks_ends_the_group_even_if_the_group_only_counts() -> None:
    """AWS says of OverrideAction that it does not affect how the rules of the group are evaluated."""
    request = build_request("/v1/" + "a" * 1_021, user_agent="")
    group = build_group_rule(COMMON, OverrideAction={"Count": {}})
    assert find_block(build_acl(group, _build_label_rule("core-rule-set:NoUserAgent_Header")), request)
    assert find_block(build_acl(group, _build_label_rule("core-rule-set:SizeRestrictions_URIPath")), request) is None


def test_a_rule_matches_by_the_score_of_its_own_part_of_the_request() -> None:
    """Two weak matches in two parts are no attack: 942430 is a warning, of 3 points."""
    many_signs = "(a) (b) (c) (d) (e) (f) (g)"
    body = build_request("/v1/airports", "PUT", encode_item(many_signs))
    both = build_request("/v1/airports?country=" + quote(many_signs), "PUT", encode_item(many_signs))
    assert find_block(build_acl(build_group_rule(SQL)), body) is None
    assert find_block(build_acl(build_group_rule(SQL)), both) is None


@pytest.mark.parametrize(
    "text",
    [
        'She said "yes" and then: no',
        '"red", "green", "blue"',
        "tab\tseparated\tvalues",
        "a form feed\x0c, an escape\x1b[1m, a bell\x07",
        "C:\\Windows\\System32\\drivers",
        "run `make check` and $(date)",
    ],
)
def test_free_text_in_a_body_passes(managed_acl: WebAcl, text: str) -> None:
    lines = encode_item(text) + b"\n" + encode_item("another line") + b"\n"
    for body, content_type in ((encode_item(text), "application/json"), (lines, "application/x-ndjson")):
        assert find_block(managed_acl, build_request(method="POST", body=body, content_type=content_type)) is None


def test_a_match_whose_quotation_ends_within_a_character_is_in_the_body() -> None:
    body = encode_item('"Ù‡Ø°Ø§" = "Ù‡Ø°Ø§" or \'Ù‡\'=\'Ù‡ هذا هذا هذا هذا هذا هذا')
    matches = RuleEngine([RULE_GROUPS[SQL]]).find_matches(build_request(method="PUT", body=body), 16_384)
    assert {match.location for match in matches} == {"body"}


@pytest.fixture
def inspected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the rules inspect from now on: each target without its headers, and each body."""
    inspected: list[str] = []
    find_matches = CoreRuleSet.find_matches

    def record_and_find(rules: CoreRuleSet, method: str, target: str, headers: Any, body: bytes) -> list[RuleMatch]:
        inspected.append(body.decode() or f"{method} {target}")
        return find_matches(rules, method, target, headers, body)

    monkeypatch.setattr(CoreRuleSet, "find_matches", record_and_find)
    return inspected


def test_a_part_of_a_request_that_an_earlier_one_had_is_not_inspected_again(inspected: list[str]) -> None:
    engine = RuleEngine(RULE_GROUPS.values())
    text = encode_item("two words")
    assert engine.find_matches(build_request("/v1/airports/EDDF", "PUT", text), 16_384) == []
    assert inspected == [
        "PUT /",
        "GET /v1/airports/EDDF?path-segment=v1&path-segment=airports&path-segment=EDDF",
        '["two words"]',
    ]
    del inspected[:]
    assert engine.find_matches(build_request("/v1/airports/EDDF", "PUT", text), 16_384) == []
    assert engine.find_matches(build_request("/v1/airports/LPPT", "PUT", text), 16_384) == []
    assert inspected == ["GET /v1/airports/LPPT?path-segment=LPPT"]
    # Path and query as a whole, and the value of each argument.
    queries = ["country=PT", "country=PT'%20or%201=1--", "<script>=1", "country=PT&<script>=1"]
    requests = [build_request(f"/v1/airports?{query}") for query in queries]
    assert [len(engine.find_matches(request, 16_384)) > 0 for request in requests * 2] == [False, True, True, True] * 2


@pytest.mark.parametrize(
    ("attack", "location"),
    [
        (build_request("/v1/airports/PT'%20or%201=1--"), "uri"),
        (build_request("/v1/airports?country=PT'%20or%201=1--"), "query"),
        (build_request("/v1/airports", cookie="session=1'%20or%201=1--"), "cookie"),
        (build_request("/v1/airports", "PUT", encode_item("two words") + encode_item("a' or 1=1 --")), "body"),
    ],
    ids=["uri", "query", "cookie", "body"],
)
def test_an_attack_matches_each_time_beside_known_parts(attack: Request, location: str) -> None:
    engine = RuleEngine(RULE_GROUPS.values())
    for harmless in (build_request("/v1/airports"), build_request("/v1/airports", "PUT", encode_item("two words"))):
        assert engine.find_matches(harmless, 16_384) == []
    matches = [engine.find_matches(attack, 16_384) for _ in range(2)]
    assert {match.location for match in matches[0]} == {location}
    assert matches[0] == matches[1]


def test_what_is_known_apart_still_matches_together() -> None:
    """Rule 944110: a word in one text, and another word in another text or elsewhere. Rule 943110: name and Referer."""
    engine = RuleEngine(RULE_GROUPS.values())
    words = [encode_item("the runtime"), encode_item("the java.")]
    assert [engine.find_matches(build_request(method="PUT", body=body), 16_384) for body in words] == [[], []]
    for request, rule in (
        (build_request(method="PUT", body=b"\n".join(words)), "944110"),
        (build_request(method="PUT", body=words[1], x_note="the runtime"), "944110"),
        (build_request("/v1/airports?note=the%20r%75ntime", "PUT", words[1]), "944110"),
        (build_request("/v1/airports?jsessionid=1", referer="http://example.com/"), "943110"),
    ):
        assert rule in {match.rule_id for match in engine.find_matches(request, 16_384)}


def test_rules_do_not_inspect_ignored_variables_and_not_run_without_others() -> None:
    rules = (
        'SecRule ARGS|!ARGS:/a_b/|REQUEST_HEADERS:Range|&XML "@pmFromFile words.data" \\\n    "id:1,chain"\n'
        '    SecRule REQUEST_HEADERS "@rx a" "t:none"\nSecRule REQUEST_HEADERS:Range "@rx \\(" \\\n    "id:2"\n'
    )
    text, without_variables = modsecurity._ignore_variables(rules, frozenset({"REQUEST_HEADERS", "XML"}))
    assert without_variables == ["2"]
    assert text.splitlines()[0] == f'SecRule ARGS|!ARGS:/a_b/ "@pmFromFile {modsecurity.RULES_FOLDER}/words.data" \\'
    assert text.splitlines()[1:] == rules.splitlines()[1:]


def test_what_is_forgotten_is_inspected_again(inspected: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_engine, "MAX_KNOWN_PARTS", 1)
    monkeypatch.setattr(rule_engine, "MAX_KNOWN_VALUES", 1)
    engine = RuleEngine(RULE_GROUPS.values())
    for item in ("EDDF", "LPPT", "EDDF"):
        body = encode_item(f"the name of {item}")
        assert engine.find_matches(build_request(f"/{item}", "PUT", body), 16_384) == []
    assert inspected[1:3] == ["GET /EDDF?path-segment=EDDF", '["the name of EDDF"]'] == inspected[-2:]


def test_an_unknown_rule_of_a_group_is_rejected() -> None:
    with pytest.raises(
        UnsupportedConfiguration, match="knows no rule SizeRestrictions_BODDY in AWSManagedRulesCommonRuleSet"
    ):
        build_acl(build_group_rule(COMMON, "SizeRestrictions_BODDY"))


def test_ndjson_and_truncated_bodies_are_inspected_up_to_the_limit(managed_acl: WebAcl) -> None:
    lines = encode_item("harmless") + b"\n" + encode_item("a' or 1=1 --") + b"\n"
    assert find_block(managed_acl, build_request(method="POST", body=lines, content_type="application/x-ndjson"))
    counted = build_acl(build_group_rule(SQL))
    late = b"[" + b'"x",' * 10_000 + b'"a\' or 1=1 --"]'
    assert find_block(counted, build_request(method="POST", body=b'["a\' or 1=1 --",' + late[1:]))
    # The firewall inspects the first 16 KB only.
    assert find_block(counted, build_request(method="POST", body=late)) is None
    assert find_block(counted, build_request(method="POST", body=b"a' or 1=1 -- no JSON at all"))


def test_the_inspected_body_has_the_texts_that_could_be_an_attack() -> None:
    lines = build_request(
        method="POST", body=b'{"a":"b\\"c"}\n{"a":"d e"}\n{"e":"f g', content_type="application/x-ndjson"
    )
    assert json.loads(extract_inspected_body(lines, 1_000)) == ['b"c', "d e"]
    document = build_request(
        method="PUT", body=b'{"icao":"EDDF","lat":50.03,"name":"A B","a b":"C","tz":"Europe/Berlin"}'
    )
    assert json.loads(extract_inspected_body(document, 1_000)) == ["A B", "a b", "Europe/Berlin"]
    assert extract_inspected_body(build_request(method="PUT", body=b'{"icao":"EDDF","lat":50.03}'), 1_000) == b""
    assert json.loads(extract_inspected_body(build_request(method="PUT", body=b"1 or 1=1"), 1_000)) == ["1 or 1=1"]
    other = build_request(method="PUT", body=b"a=1", content_type="text/plain")
    assert extract_inspected_body(other, 1_000) == b"a=1"


def test_invalid_utf_8_is_inspected(managed_acl: WebAcl) -> None:
    assert find_block(managed_acl, build_request("/v1/airports?country=%fd%fe'%20or%201=1--"))


def test_without_modsecurity_the_other_checks_are_enforced(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(modsecurity, "IS_AVAILABLE", False)
    acl = build_acl(build_group_rule(COMMON), build_group_rule(SQL))
    assert acl.has_inactive_groups
    assert find_block(acl, build_request("/v1/airports?country=PT'%20or%201=1--")) is None
    assert find_block(acl, build_request("/v1/airports?after=" + "a" * 2_043))
    assert not build_acl(build_group_rule(ADDRESSES)).has_inactive_groups
