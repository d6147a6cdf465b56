"""AWS's managed rule groups and what stands in for each of their rules here: the one table.

AWS does not publish what its rules look for. OWASP's Core Rule Set (CRS) looks for the same kinds of attack, so a
request that
AWS would let through may be refused here, and the other way round; what can be learnt here is that requests of
the service's own clients pass rules of this kind, and that a rule which the template counts instead of blocking is
counted. Sizes are AWS's own, as documented.

A group blocks at a score of 5, which one critical match of a rule reaches. How CRS is set up stands in
`core_rule_set`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from local.edge.http_messages import Request

# Where in a request something was found.
QUERY, BODY, URI, COOKIE, HEADER = "query", "body", "uri", "cookie", "header"


ALL_LOCATIONS = (QUERY, BODY, URI, COOKIE, HEADER)


BLOCKING_SCORE = 5


@dataclass(frozen=True)
class Substitute:
    """`rules` are beginnings of the numbers of CRS's rules, which count where they match in one of `places`; `test` is
    a check of our own instead."""

    rule_prefixes: tuple[str, ...] = ()
    locations: tuple[str, ...] = ALL_LOCATIONS
    check: Callable[[Request], bool] | None = None


@dataclass(frozen=True)
class RuleGroup:
    """`named` by the names that AWS gives its rules, which a template may override; `more` are kinds of rules that CRS
    has and AWS names nothing for, or has in groups that cost extra."""

    rules: dict[str, Substitute]
    extra_rules: tuple[Substitute, ...] = ()
    rule_files: tuple[str, ...] = field(default=())


def _each(prefix: str, rules: tuple[str, ...], **places: str) -> dict[str, Substitute]:
    return {f"{prefix}_{name}": Substitute(rules, (place,)) for name, place in places.items()}


_PARTS = {"QUERYARGUMENTS": QUERY, "BODY": BODY, "URIPATH": URI}


_LOOKUPS = ("100101",)  # a rule of our own, since CRS 3 takes them for a shell's


_METADATA = ("100100",)  # a rule of our own: CRS 3 has none for the address where instances find their credentials


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
        **_each("EC2MetaDataSSRF", _METADATA, **_PARTS, COOKIE=COOKIE),
        **_each("GenericLFI", ("930",), **_PARTS),
        **_each("GenericRFI", ("931",), **_PARTS),
        **_each("RestrictedExtensions", ("920440",), QUERYARGUMENTS=QUERY, URIPATH=URI),
        **_each("CrossSiteScripting", ("941",), **_PARTS, COOKIE=COOKIE),
    },
    extra_rules=(
        # The protocol: CloudFront and API Gateway refuse much of it by themselves.
        Substitute(("920", "921")),
        Substitute(("930", "931", "941"), (HEADER, COOKIE)),
        Substitute(("943",)),
    ),
    rule_files=("913", "920", "921", "930", "931", "941", "943"),
)


KNOWN_BAD_INPUTS = RuleGroup(
    rules={
        **_each("JavaDeserializationRCE", ("944",), HEADER=HEADER, BODY=BODY, URIPATH=URI, QUERYSTRING=QUERY),
        **_each("Log4JRCE", _LOOKUPS, HEADER=HEADER, BODY=BODY, URIPATH=URI, QUERYSTRING=QUERY),
        "Host_localhost_HEADER": Substitute(),  # every request here is for the loopback address
        "PROPFIND_METHOD": Substitute(check=lambda request: request.method == "PROPFIND"),
        "ExploitablePaths_URIPATH": Substitute(("930120", "930130"), (URI,)),
        "ReactJSRCE_BODY": Substitute(("934",), (BODY,)),
    },
    # Commands, PHP and Node.js: AWS has them in groups for those platforms (Unix, POSIX, PHP), as known exploits.
    extra_rules=(Substitute(("932", "933", "934")),),
    rule_files=("930", "932", "933", "934", "944"),
)


SQL_INJECTION = RuleGroup(
    rules={
        **_each("SQLi", ("942",), **_PARTS, COOKIE=COOKIE),
        **_each("SQLiExtendedPatterns", ("942",), QUERYARGUMENTS=QUERY, BODY=BODY, URIPATH=URI, HEADER=HEADER),
    },
    extra_rules=(Substitute(("942",), (HEADER,)),),
    rule_files=("942",),
)


# Which addresses AWS holds for bad it tells nobody, and here all are loopback: nothing is ever found.
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
