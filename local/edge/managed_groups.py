"""AWS's managed rule groups and what stands in for each of their rules here: the one table.

AWS does not publish what its rules look for. OWASP's Core Rule Set (CRS) looks for the same kinds of attack, so a
request that
AWS would let through may be refused here, and the other way round; what can be learnt here is that requests of
the service's own clients pass rules of this kind, and that a rule which the template counts instead of blocking is
counted. Sizes are AWS's own, as documented.

CRS runs at paranoia level 2 with its own scores: a group blocks at a score of 5, which one critical match reaches. At
level 1
about half of the lists' SQL injections are blocked; level 2 takes some of what people write for attacks, and those
rules are
left out. What remains was measured by `make attack`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from local.edge.messages import Request

# Where in a request something was found.
QUERY, BODY, URI, COOKIE, HEADER = "query", "body", "uri", "cookie", "header"
ANYWHERE = (QUERY, BODY, URI, COOKIE, HEADER)

PARANOIA = 2
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

# What is set otherwise than CRS has it, in ModSecurity's language and run before CRS, and why.
SETTINGS = r"""
# The methods and types of the API; which methods pass, CloudFront's AllowedMethods say.
SecAction "id:100001,phase:1,nolog,pass,\
    setvar:'tx.allowed_methods=GET HEAD POST PUT PATCH DELETE OPTIONS',\
    setvar:'tx.allowed_request_content_type=|application/json| |application/x-ndjson| |application/problem+json|',\
    setvar:'tx.paranoia_level=PARANOIA',setvar:'tx.crs_setup_version=334'"
# A body of JSON is looked at value by value.
SecRule REQUEST_HEADERS:Content-Type "@rx ^application/(?:[a-z.-]+\+)?(?:x-nd)?json" \
    "id:100002,phase:1,t:none,t:lowercase,nolog,pass,ctl:requestBodyProcessor=JSON"
# EC2MetaDataSSRF has no counterpart in CRS.
SecRule ARGS|REQUEST_FILENAME|REQUEST_COOKIES "@contains 169.254.169.254" \
    "id:100100,phase:2,pass,log,severity:'CRITICAL',logdata:'within %{MATCHED_VAR_NAME}'"
# Log4JRCE has none that is told apart.
SecRule ARGS|REQUEST_FILENAME|REQUEST_COOKIES|REQUEST_HEADERS "@rx \$\{(?:jndi|\$\{)" \
    "id:100101,phase:2,t:urlDecodeUni,t:lowercase,pass,log,severity:'CRITICAL',logdata:'within %{MATCHED_VAR_NAME}'"
""".replace("PARANOIA", str(PARANOIA))

# What of CRS is left out, and why.
LEFT_OUT: dict[str, str] = {
    "920280": "a request without Host: CloudFront answers it itself",
    "920350": "Host is an address: everybody's is, here",
    # The clients of this service are programs, and AWS's rules take no common library for a bad bot.
    "913101": "a program's HTTP library by its User-Agent: python-requests, Python-urllib",
    "920300": "a request without Accept, which programs leave out",
    # Of level 2, what prose in a field meets: remarks, names, addresses. What else they catch, the others mostly
    # catch too.
    "931130": "an address of the web, which a name of a place can be",
    "932200": "a slash or a backslash among words, taken for a shell's",
    "933210": "brackets one after the other: `(Kwajalein Kmr)(Atoll)`",
    "942150": "a name of a function before a bracket: `Army Air Field (Camp Robinson)`",
    "942200": "a quote and a comma",
    "942210": "`and` between names: `Ben And Judy Briscoe Field`",
    "942260": "a quoted word before an &",
    "942390": "`or` and a number",
    "942410": "the same",
    "942440": "`--` and `#`, taken for comments of SQL",
}
