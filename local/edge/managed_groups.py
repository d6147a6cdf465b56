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

from local.edge.messages import Request

# Where in a request something was found.
QUERY, BODY, URI, COOKIE, HEADER = "query", "body", "uri", "cookie", "header"
ANYWHERE = (QUERY, BODY, URI, COOKIE, HEADER)

THRESHOLD = 5


@dataclass(frozen=True)
class Stand:
    """`rules` are beginnings of the numbers of CRS's rules, which count where they match in one of `places`; `test` is
    a check of our own instead."""

    rules: tuple[str, ...] = ()
    places: tuple[str, ...] = ANYWHERE
    test: Callable[[Request], bool] | None = None


@dataclass(frozen=True)
class Group:
    """`named` by the names that AWS gives its rules, which a template may override; `more` are kinds of rules that CRS
    has and AWS names nothing for, or has in groups that cost extra."""

    named: dict[str, Stand]
    more: tuple[Stand, ...] = ()
    files: tuple[str, ...] = field(default=())


def _each(prefix: str, rules: tuple[str, ...], **places: str) -> dict[str, Stand]:
    return {f"{prefix}_{name}": Stand(rules, (place,)) for name, place in places.items()}


_PARTS = {"QUERYARGUMENTS": QUERY, "BODY": BODY, "URIPATH": URI}
_LOOKUPS = ("100101",)  # a rule of our own, since CRS 3 takes them for a shell's
_METADATA = ("100100",)  # a rule of our own: CRS 3 has none for the address where instances find their credentials

COMMON = Group(
    named={
        "NoUserAgent_HEADER": Stand(test=lambda request: not request.header("user-agent")),
        "UserAgent_BadBots_HEADER": Stand(("913",)),
        "SizeRestrictions_QUERYSTRING": Stand(test=lambda request: len(request.query) > 2_048),
        "SizeRestrictions_Cookie_HEADER": Stand(test=lambda request: len(request.header("cookie") or "") > 10_240),
        "SizeRestrictions_BODY": Stand(test=lambda request: len(request.body) > 8_192),
        "SizeRestrictions_URIPATH": Stand(test=lambda request: len(request.path) > 1_024),
        **_each("EC2MetaDataSSRF", _METADATA, **_PARTS, COOKIE=COOKIE),
        **_each("GenericLFI", ("930",), **_PARTS),
        **_each("GenericRFI", ("931",), **_PARTS),
        **_each("RestrictedExtensions", ("920440",), QUERYARGUMENTS=QUERY, URIPATH=URI),
        **_each("CrossSiteScripting", ("941",), **_PARTS, COOKIE=COOKIE),
    },
    more=(
        # The protocol: CloudFront and API Gateway refuse much of it by themselves.
        Stand(("920", "921")),
        Stand(("930", "931", "941"), (HEADER, COOKIE)),
        Stand(("943",)),
    ),
    files=("913", "920", "921", "930", "931", "941", "943"),
)

KNOWN_BAD_INPUTS = Group(
    named={
        **_each("JavaDeserializationRCE", ("944",), HEADER=HEADER, BODY=BODY, URIPATH=URI, QUERYSTRING=QUERY),
        **_each("Log4JRCE", _LOOKUPS, HEADER=HEADER, BODY=BODY, URIPATH=URI, QUERYSTRING=QUERY),
        "Host_localhost_HEADER": Stand(),  # every request here is for the loopback address
        "PROPFIND_METHOD": Stand(test=lambda request: request.method == "PROPFIND"),
        "ExploitablePaths_URIPATH": Stand(("930120", "930130"), (URI,)),
        "ReactJSRCE_BODY": Stand(("934",), (BODY,)),
    },
    # Commands, PHP and Node.js: AWS has them in groups for those platforms (Unix, POSIX, PHP), as known exploits.
    more=(Stand(("932", "933", "934")),),
    files=("930", "932", "933", "934", "944"),
)

SQL_INJECTION = Group(
    named={
        **_each("SQLi", ("942",), **_PARTS, COOKIE=COOKIE),
        **_each("SQLiExtendedPatterns", ("942",), QUERYARGUMENTS=QUERY, BODY=BODY, URIPATH=URI, HEADER=HEADER),
    },
    more=(Stand(("942",), (HEADER,)),),
    files=("942",),
)

# Which addresses AWS holds for bad it tells nobody, and here all are loopback: nothing is ever found.
IP_REPUTATION = Group(
    named={
        "AWSManagedIPReputationList": Stand(),
        "AWSManagedReconnaissanceList": Stand(),
        "AWSManagedIPDDoSList": Stand(),
    }
)

GROUPS = {
    "AWSManagedRulesCommonRuleSet": COMMON,
    "AWSManagedRulesKnownBadInputsRuleSet": KNOWN_BAD_INPUTS,
    "AWSManagedRulesSQLiRuleSet": SQL_INJECTION,
    "AWSManagedRulesAmazonIpReputationList": IP_REPUTATION,
}
