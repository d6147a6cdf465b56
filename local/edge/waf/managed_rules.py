"""AWS's managed rule groups, and the local substitute for each of their rules.

AWS does not publish what its rules match. OWASP's Core Rule Set (CRS) matches the same kinds of attack. So the local
edge may block a request that AWS lets through, and the reverse. It does show that requests of the service's own clients
pass rules of this kind, and that it only counts a rule that the template counts instead of blocks. The size limits are
those that AWS documents.

A group blocks at a score of 5, which one critical match reaches. `core_rule_set` configures CRS.
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
    """`rules` maps AWS's rule names, which a template may override, to substitutes. `extra_rules` are CRS rules without
    an AWS name in the group: AWS has no such rule, or has it in a group that costs extra."""

    rules: dict[str, Substitute]
    extra_rules: tuple[Substitute, ...] = ()
    rule_files: tuple[str, ...] = field(default=())


def _substitute_by_location(prefix: str, rule_prefixes: tuple[str, ...], **locations: str) -> dict[str, Substitute]:
    return {f"{prefix}_{suffix}": Substitute(rule_prefixes, (location,)) for suffix, location in locations.items()}


_COMMON_LOCATIONS = {"QUERYARGUMENTS": QUERY, "BODY": BODY, "URIPATH": URI}
_LOG4J_RULE = ("100101",)  # our own rule, because CRS 3 reports these as shell commands
_METADATA_RULE = ("100100",)  # our own rule: CRS 3 has none for the address of the instance credentials

COMMON = RuleGroup(
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
    extra_rules=(
        # HTTP protocol violations: CloudFront and API Gateway reject most of these themselves.
        Substitute(("920", "921")),
        Substitute(("930", "931", "941"), (HEADER, COOKIE)),
        Substitute(("943",)),
    ),
    rule_files=("913", "920", "921", "930", "931", "941", "943"),
)

KNOWN_BAD_INPUTS = RuleGroup(
    rules={
        **_substitute_by_location(
            "JavaDeserializationRCE", ("944",), HEADER=HEADER, BODY=BODY, URIPATH=URI, QUERYSTRING=QUERY
        ),
        **_substitute_by_location("Log4JRCE", _LOG4J_RULE, HEADER=HEADER, BODY=BODY, URIPATH=URI, QUERYSTRING=QUERY),
        "Host_localhost_HEADER": Substitute(),  # every local request has the loopback address as its host
        "PROPFIND_METHOD": Substitute(check=lambda request: request.method == "PROPFIND"),
        "ExploitablePaths_URIPATH": Substitute(("930120", "930130"), (URI,)),
        "ReactJSRCE_BODY": Substitute(("934",), (BODY,)),
    },
    # Commands, PHP and Node.js: AWS has these in groups for the platforms (Unix, POSIX, PHP), as known exploits.
    extra_rules=(Substitute(("932", "933", "934")),),
    rule_files=("930", "932", "933", "934", "944"),
)

SQL_INJECTION = RuleGroup(
    rules={
        **_substitute_by_location("SQLi", ("942",), **_COMMON_LOCATIONS, COOKIE=COOKIE),
        **_substitute_by_location(
            "SQLiExtendedPatterns", ("942",), QUERYARGUMENTS=QUERY, BODY=BODY, URIPATH=URI, HEADER=HEADER
        ),
    },
    extra_rules=(Substitute(("942",), (HEADER,)),),
    rule_files=("942",),
)

# AWS does not publish its list of addresses, and every local address is the loopback address: nothing ever matches.
IP_REPUTATION = RuleGroup(
    rules={
        "AWSManagedIPReputationList": Substitute(),
        "AWSManagedReconnaissanceList": Substitute(),
        "AWSManagedIPDDoSList": Substitute(),
    }
)

RULE_GROUPS = {
    "AWSManagedRulesCommonRuleSet": COMMON,
    "AWSManagedRulesKnownBadInputsRuleSet": KNOWN_BAD_INPUTS,
    "AWSManagedRulesSQLiRuleSet": SQL_INJECTION,
    "AWSManagedRulesAmazonIpReputationList": IP_REPUTATION,
}
