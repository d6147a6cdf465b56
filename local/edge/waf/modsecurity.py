"""OWASP ModSecurity with the Core Rule Set (CRS) of Debian's package, in this process."""

import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.edge.config_checks import UnsupportedConfiguration
from local.edge.waf.core_rule_set import EXCLUDED_RULES, SETTINGS, UNUSED_PREPARATIONS
from local.edge.waf.managed_rules import BODY, COOKIE, HEADER, QUERY, URI

if TYPE_CHECKING:
    from libmodsecurity import RuleMessage

# The package supports x86-64 and a few versions of Python. Without it, no rule of CRS matches.
IS_AVAILABLE = importlib.util.find_spec("libmodsecurity") is not None

RULES_FOLDER = Path("/usr/share/modsecurity-crs/rules")
# The score of a match by its syslog severity, which CRS calls critical, error, warning and notice.
SEVERITY_SCORES = {2: 5, 3: 4, 4: 3, 5: 2}

PATH_SEGMENT_ARGUMENT = "path-segment"

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
# The variables of a rule, those of a rule that is not within a chain with its id, and a file beside the rules.
_RULE_VARIABLES = re.compile(r'^( *SecRule +"?)([^"\s]+)', re.MULTILINE)
_RULE_ID = re.compile(r'^SecRule +"?([^"\s]+).+?"id:(\d+)', re.MULTILINE | re.DOTALL)
_NAMED_FILE = re.compile(r"(@pmFromFile )(?=\w)")
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
    """ModSecurity with files of CRS.

    `removed` are the ids of rules that it does not run, or ranges of them. `ignored_variables` are parts of a request
    that no rule inspects.

    It takes one request at a time, because a callback collects the matches. Raises UnsupportedConfiguration.
    """

    def __init__(
        self, files: Iterable[str], removed: Iterable[str] = (), ignored_variables: frozenset[str] = frozenset()
    ) -> None:
        from libmodsecurity import ModSecurity, RulesSet, Transaction  # noqa: PLC0415 - not on every machine

        self._transaction_class, self._rules = Transaction, RulesSet()
        self._load(_BASE_SETTINGS + SETTINGS, "our settings")
        excluded = [*EXCLUDED_RULES, *UNUSED_PREPARATIONS, *removed]
        for number in ("901", *files):
            path = _find_file(number)
            text, without_variables = _ignore_variables(path.read_text(), ignored_variables)
            self._load(text, str(path))
            excluded += without_variables
        self._load(f"SecRuleRemoveById {' '.join(excluded)}", "our exclusions")
        self._messages: list[RuleMessage] = []
        self._engine = ModSecurity()
        self._engine.set_rule_message_callback(self._messages.append)

    def _load(self, text: str, source: str) -> None:
        if self._rules.load(text) < 0:
            raise UnsupportedConfiguration(f"ModSecurity rejects {source}: {self._rules.get_parser_error()}")

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


def _find_file(number: str) -> Path:
    paths = sorted(RULES_FOLDER.glob(f"REQUEST-{number}-*.conf"))
    if len(paths) != 1:
        raise UnsupportedConfiguration(f"{RULES_FOLDER} has no file {number} of the Core Rule Set; run `make setup`")
    return paths[0]


def _ignore_variables(rules: str, ignored: frozenset[str]) -> tuple[str, list[str]]:
    """The rules without these variables, and the ids of those that have no others. The files that they name get a path.

    A chain of rules has an id at its first rule only. Where another one has no other variables, it stays as it is.
    """

    def list_others(variables: str) -> list[str]:
        return [name for name in variables.split("|") if name.lstrip("!&").partition(":")[0] not in ignored]

    without_variables = [match[2] for match in _RULE_ID.finditer(rules) if not list_others(match[1])]
    text = _RULE_VARIABLES.sub(lambda match: match[1] + ("|".join(list_others(match[2])) or match[2]), rules)
    return _NAMED_FILE.sub(rf"\1{RULES_FOLDER}/", text), without_variables


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
