"""AWS's managed rule groups: the rules with their labels and, for each, the local substitute.

AWS does not publish what its rules match. OWASP's Core Rule Set (CRS) matches the same kinds of attack. So the local
edge may block a request that AWS lets through, and the reverse. It does show that requests of the service's own clients
pass rules of this kind, and that it only counts a rule that the template counts instead of blocks. The size limits are
those that AWS documents.

A rule matches at a score of 5 in its part of the request, which one critical match of CRS reaches. `core_rule_set`
configures CRS. Rules and labels: AWS WAF Developer Guide, "AWS Managed Rules rule groups list".
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from local.edge.http_messages import Request

# Locations of a match in a request.
QUERY, BODY, URI, COOKIE, HEADER = "query", "body", "uri", "cookie", "header"
ALL_LOCATIONS = (QUERY, BODY, URI, COOKIE, HEADER)

BLOCKING_SCORE = 5


@dataclass(frozen=True)
class Substitute:
    """CRS rules whose numbers begin with one of `rule_prefixes` and that match in one of `locations`; or `check`, a
    check of ours instead."""

    rule_prefixes: tuple[str, ...] = ()
    locations: tuple[str, ...] = ALL_LOCATIONS
    check: Callable[[Request], bool] | None = None


@dataclass(frozen=True)
class RuleGroup:
    """`rules` maps AWS's rule names, which a template may override, to substitutes, in AWS's order.

    `extra_rules` are CRS rules that AWS has no rule for in the group; they count for the rule of that name, which
    inspects the same part of the request. `label_namespace` is the prefix of the labels, `counting_rules` are the rules
    that AWS itself only counts, and `capacity` is what the group takes of a web ACL's capacity, in WCU.
    """

    label_namespace: str
    capacity: int
    rules: dict[str, Substitute]
    extra_rules: dict[str, Substitute] = field(default_factory=dict)
    rule_files: tuple[str, ...] = ()
    counting_rules: frozenset[str] = frozenset()

    def build_label(self, rule: str) -> str:
        """The label that AWS adds to a request that matches the rule."""
        return f"{self.label_namespace}:{_LABELS.get(rule) or _build_usual_label(rule)}"

    @property
    def blocking_rules(self) -> list[str]:
        """The rules that block unless a web ACL overrides them."""
        return [rule for rule in self.rules if rule not in self.counting_rules]


# A label is the name of the rule with another spelling of the part of the request, but for these.
_LABELS = {
    "UserAgent_BadBots_HEADER": "BadBots_Header",
    "SizeRestrictions_Cookie_HEADER": "SizeRestrictions_Cookie_Header",
    "Host_localhost_HEADER": "Host_Localhost_Header",
    "PROPFIND_METHOD": "Propfind_Method",
    "SQLiExtendedPatterns_URIPATH": "SQLiExtendedPatterns_UriPath",
}
_PARTS = {
    "HEADER": "Header",
    "COOKIE": "Cookie",
    "BODY": "Body",
    "URIPATH": "URIPath",
    "QUERYSTRING": "QueryString",
    "QUERYARGUMENTS": "QueryArguments",
}


def _build_usual_label(rule: str) -> str:
    name, _, part = rule.rpartition("_")
    return f"{name}_{_PARTS[part]}" if part in _PARTS else rule


def _substitute_by_location(prefix: str, rule_prefixes: tuple[str, ...], **locations: str) -> dict[str, Substitute]:
    return {f"{prefix}_{suffix}": Substitute(rule_prefixes, (location,)) for suffix, location in locations.items()}


_COMMON_LOCATIONS = {"QUERYARGUMENTS": QUERY, "BODY": BODY, "URIPATH": URI}
_LOG4J_RULE = ("100101",)  # our own rule, because CRS 3 reports these as shell commands
_METADATA_RULE = ("100100",)  # our own rule: CRS 3 has none for the address of the instance credentials
# HTTP protocol violations, of which CloudFront and API Gateway refuse most, and attacks on sessions. Not in a body: AWS
# has no rule for control characters there.
_PROTOCOL_RULES = ("920", "921", "943")
# Commands, PHP and Node.js: AWS has these in groups for the platforms (Unix, POSIX, PHP), as known exploits. Not in a
# body: programs and prose look like them, and the template uses none of those groups.
_COMMAND_RULES = ("932", "933", "934")

COMMON = RuleGroup(
    label_namespace="awswaf:managed:aws:core-rule-set",
    capacity=700,
    rules={
        "NoUserAgent_HEADER": Substitute(check=lambda request: not request.get_header("user-agent")),
        "UserAgent_BadBots_HEADER": Substitute(("913",)),
        "SizeRestrictions_QUERYSTRING": Substitute(check=lambda request: len(request.query) > 2_048),
        "SizeRestrictions_Cookie_HEADER": Substitute(
            check=lambda request: len(request.get_header("cookie") or "") > 10_240
        ),
        "SizeRestrictions_BODY": Substitute(check=lambda request: len(request.body) > 8_192),
        "SizeRestrictions_URIPATH": Substitute(check=lambda request: len(request.path) > 1_024),
        **_substitute_by_location("EC2MetaDataSSRF", _METADATA_RULE, **_COMMON_LOCATIONS, COOKIE=COOKIE),
        **_substitute_by_location("GenericLFI", ("930",), **_COMMON_LOCATIONS),
        **_substitute_by_location("GenericRFI", ("931",), **_COMMON_LOCATIONS),
        **_substitute_by_location("RestrictedExtensions", ("920440",), QUERYARGUMENTS=QUERY, URIPATH=URI),
        **_substitute_by_location("CrossSiteScripting", ("941",), **_COMMON_LOCATIONS, COOKIE=COOKIE),
    },
    extra_rules={
        "CrossSiteScripting_QUERYARGUMENTS": Substitute(_PROTOCOL_RULES, (QUERY,)),
        "CrossSiteScripting_URIPATH": Substitute(_PROTOCOL_RULES, (URI,)),
        "CrossSiteScripting_COOKIE": Substitute((*_PROTOCOL_RULES, "930", "931"), (COOKIE,)),
        "UserAgent_BadBots_HEADER": Substitute((*_PROTOCOL_RULES, "930", "931", "941"), (HEADER,)),
    },
    rule_files=("913", "920", "921", "930", "931", "941", "943"),
)

KNOWN_BAD_INPUTS = RuleGroup(
    label_namespace="awswaf:managed:aws:known-bad-inputs",
    capacity=200,
    rules={
        **_substitute_by_location(
            "JavaDeserializationRCE", ("944",), HEADER=HEADER, BODY=BODY, URIPATH=URI, QUERYSTRING=QUERY
        ),
        "Host_localhost_HEADER": Substitute(),  # every local request has the loopback address as its host
        "PROPFIND_METHOD": Substitute(check=lambda request: request.method == "PROPFIND"),
        "ExploitablePaths_URIPATH": Substitute(("930120", "930130"), (URI,)),
        **_substitute_by_location("Log4JRCE", _LOG4J_RULE, HEADER=HEADER, QUERYSTRING=QUERY, BODY=BODY, URIPATH=URI),
        "ReactJSRCE_BODY": Substitute(("934",), (BODY,)),
    },
    extra_rules={
        "JavaDeserializationRCE_HEADER": Substitute(_COMMAND_RULES, (HEADER, COOKIE)),
        "JavaDeserializationRCE_URIPATH": Substitute(_COMMAND_RULES, (URI,)),
        "JavaDeserializationRCE_QUERYSTRING": Substitute(_COMMAND_RULES, (QUERY,)),
    },
    rule_files=("930", "932", "933", "934", "944"),
)

SQL_INJECTION = RuleGroup(
    label_namespace="awswaf:managed:aws:sql-database",
    capacity=200,
    rules={
        **_substitute_by_location("SQLi", ("942",), **_COMMON_LOCATIONS, COOKIE=COOKIE),
        **_substitute_by_location(
            "SQLiExtendedPatterns", ("942",), QUERYARGUMENTS=QUERY, BODY=BODY, URIPATH=URI, HEADER=HEADER
        ),
    },
    rule_files=("942",),
)

# AWS does not publish its list of addresses, and every local address is the loopback address: nothing ever matches.
IP_REPUTATION = RuleGroup(
    label_namespace="awswaf:managed:aws:amazon-ip-list",
    capacity=25,
    rules={
        "AWSManagedIPReputationList": Substitute(),
        "AWSManagedReconnaissanceList": Substitute(),
        "AWSManagedIPDDoSList": Substitute(),
    },
    counting_rules=frozenset({"AWSManagedIPDDoSList"}),
)

RULE_GROUPS = {
    "AWSManagedRulesCommonRuleSet": COMMON,
    "AWSManagedRulesKnownBadInputsRuleSet": KNOWN_BAD_INPUTS,
    "AWSManagedRulesSQLiRuleSet": SQL_INJECTION,
    "AWSManagedRulesAmazonIpReputationList": IP_REPUTATION,
}
