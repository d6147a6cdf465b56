"""OWASP ModSecurity with the Core Rule Set (CRS) of Debian's package, in this process."""

import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.edge.config_checks import UnsupportedConfiguration
from local.edge.waf.core_rule_set import EXCLUDED_RULES, SETTINGS
from local.edge.waf.managed_rules import BODY, COOKIE, HEADER, QUERY, URI

if TYPE_CHECKING:
    from libmodsecurity import RuleMessage

# The package supports x86-64 and a few versions of Python. Without it, no rule of CRS matches.
IS_AVAILABLE = importlib.util.find_spec("libmodsecurity") is not None

RULES_FOLDER = Path("/usr/share/modsecurity-crs/rules")
# The score of a match by its syslog severity, which CRS calls critical, error, warning and notice.
SEVERITY_SCORES = {2: 5, 3: 4, 4: 3, 5: 2}

PATH_SEGMENT_ARGUMENT = "path-segment"

# Without the newline, ModSecurity's parser misreads the beginning of what it loads next.
_WITHOUT_ARGUMENT_NAMES = 'SecRuleUpdateTargetByTag OWASP_CRS "!ARGS_NAMES"\n'
_BASE_SETTINGS = """
SecRuleEngine DetectionOnly
SecRequestBodyAccess On
SecResponseBodyAccess Off
SecAuditEngine Off
SecRequestBodyLimit 13107200
SecRequestBodyJsonDepthLimit 64
SecPcreMatchLimit 200000
SecPcreMatchLimitRecursion 200000
"""
_VARIABLE = re.compile(r"(?:found )?within ([A-Z_]+(?::[^:\s]*)?)|against variable `([^']+)'")
_LOCATIONS = (
    ("REQUEST_COOKIES", COOKIE),
    ("REQUEST_HEADERS", HEADER),
    ("REQUEST_BODY", BODY),
    ("XML", BODY),
    ("FILES", BODY),
    ("MULTIPART", BODY),
    ("REQBODY", BODY),
    ("ARGS_GET", QUERY),
    ("QUERY_STRING", QUERY),
)


@dataclass(frozen=True)
class RuleMatch:
    """A match of one CRS rule, its location in the request and its score."""

    rule_id: str
    location: str
    score: int
    message: str


class CoreRuleSet:
    """ModSecurity with files of CRS. `argument_names` says whether the rules inspect the names of arguments.

    It takes one request at a time, because a callback collects the matches. Raises UnsupportedConfiguration.
    """

    def __init__(self, files: Iterable[str], *, argument_names: bool = True) -> None:
        from libmodsecurity import ModSecurity, RulesSet, Transaction  # noqa: PLC0415 - not on every machine

        self._transaction_class, self._rules = Transaction, RulesSet()
        self._load_text(_BASE_SETTINGS + SETTINGS)
        for number in ("901", *files):
            self._load_file(number)
        self._load_text(f"SecRuleRemoveById {' '.join(EXCLUDED_RULES)}")
        if not argument_names:
            self._load_text(_WITHOUT_ARGUMENT_NAMES)
        self._messages: list[RuleMessage] = []
        self._engine = ModSecurity()
        self._engine.set_rule_message_callback(self._messages.append)

    def _load_text(self, text: str) -> None:
        if self._rules.load(text) < 0:
            raise UnsupportedConfiguration(f"ModSecurity rejects a rule: {self._rules.get_parser_error()}")

    def _load_file(self, number: str) -> None:
        paths = sorted(RULES_FOLDER.glob(f"REQUEST-{number}-*.conf"))
        if len(paths) != 1:
            raise UnsupportedConfiguration(
                f"{RULES_FOLDER} has no file {number} of the Core Rule Set; run `make setup`"
            )
        if self._rules.load_from_uri(str(paths[0])) < 0:
            raise UnsupportedConfiguration(f"ModSecurity rejects {paths[0]}: {self._rules.get_parser_error()}")

    def find_matches(
        self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes
    ) -> list[RuleMatch]:
        """The matches in a request. Header names are in lower case."""
        self._messages.clear()
        transaction = self._transaction_class(self._engine, self._rules)
        transaction.process_connection("127.0.0.1", 0, "127.0.0.1", 443)
        transaction.process_uri(target, method, "1.1")
        for name, value in headers:
            transaction.add_request_header(name, value)
        transaction.process_request_headers()
        if body:
            transaction.append_request_body(body)
        transaction.process_request_body()
        return [_build_rule_match(message) for message in self._messages]


def _build_rule_match(message: "RuleMessage") -> RuleMatch:
    match = _VARIABLE.search(f"{_read_text(message, 'data')} {_read_text(message, 'match')}")
    variable = (match[1] or match[2]) if match else ""
    score = SEVERITY_SCORES.get(message.severity, 0)
    return RuleMatch(str(message.rule_id), _find_location(variable), score, message.message)


def _read_text(message: "RuleMessage", name: str) -> str:
    """An attribute of a match. It quotes the request, which may be cut within a character."""
    try:
        return str(getattr(message, name))
    except UnicodeDecodeError as error:
        return error.object.decode(errors="replace")


def _find_location(variable: str) -> str:
    for prefix, location in _LOCATIONS:
        if variable.startswith(prefix):
            return location
    if variable.startswith(f"ARGS:{PATH_SEGMENT_ARGUMENT}"):
        return URI
    if variable.startswith("ARGS"):
        return BODY if variable.partition(":")[2].startswith("json") else QUERY
    return URI
