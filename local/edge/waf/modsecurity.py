"""OWASP ModSecurity with the Core Rule Set of Debian's package, as one in-process call for each request."""

import importlib.util
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from local.edge.config_checks import UnsupportedConfiguration
from local.edge.http_messages import Request
from local.edge.waf import core_rule_set
from local.edge.waf import managed_rules as table
from local.edge.waf.inspected_body import extract_inspected_body

if TYPE_CHECKING:
    from libmodsecurity import RuleMessage

# Its package is made for x86-64 and a few versions of Python. Where it is missing, the groups find nothing by CRS.
IS_AVAILABLE = importlib.util.find_spec("libmodsecurity") is not None


RULES_FOLDER = Path("/usr/share/modsecurity-crs/rules")


# ModSecurity's words for syslog's levels: what CRS calls critical, error, warning, notice, and the score of each.
SEVERITY_SCORES = {2: 5, 3: 4, 4: 3, 5: 2}


PATH_SEGMENT_ARGUMENT = "path-segment"


_BASE = """
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


_PLACES = (
    ("REQUEST_COOKIES", table.COOKIE),
    ("REQUEST_HEADERS", table.HEADER),
    ("REQUEST_BODY", table.BODY),
    ("XML", table.BODY),
    ("FILES", table.BODY),
    ("MULTIPART", table.BODY),
    ("REQBODY", table.BODY),
    ("ARGS_GET", table.QUERY),
    ("QUERY_STRING", table.QUERY),
)


@dataclass(frozen=True)
class RuleMatch:
    """One match of one of CRS's rules, where it was and what it counts."""

    rule_id: str
    location: str
    score: int
    message: str


class RuleEngine:
    """The rules that the groups need. One request at a time: the matches are collected from a callback."""

    def __init__(self, groups: Iterable[table.RuleGroup]) -> None:
        files = sorted({name for group in groups for name in group.rule_files})
        self.is_unavailable = bool(files) and not IS_AVAILABLE
        """Whether rules are wanted that nothing here can run."""
        self._rules = None
        self._found: list[RuleMessage] = []
        if not files or self.is_unavailable:
            return
        from libmodsecurity import ModSecurity, RulesSet, Transaction  # noqa: PLC0415 - not on every machine

        self._rules, self._transaction = RulesSet(), Transaction
        self._load(_BASE + core_rule_set.SETTINGS)
        for name in ("901", *files):
            self._load_file(name)
        self._load(f"SecRuleRemoveById {' '.join(core_rule_set.EXCLUDED_RULES)}")
        self._engine = ModSecurity()
        self._engine.set_rule_message_callback(self._found.append)

    def _load(self, text: str) -> None:
        if self._rules is not None and self._rules.load(text) < 0:
            raise UnsupportedConfiguration(f"ModSecurity refuses a rule: {self._rules.get_parser_error()}")

    def _load_file(self, number: str) -> None:
        found = sorted(RULES_FOLDER.glob(f"REQUEST-{number}-*.conf"))
        if len(found) != 1:
            raise UnsupportedConfiguration(
                f"{RULES_FOLDER} has no file {number} of the Core Rule Set; run `make setup`"
            )
        if self._rules is not None and self._rules.load_from_uri(str(found[0])) < 0:
            raise UnsupportedConfiguration(f"ModSecurity refuses {found[0]}: {self._rules.get_parser_error()}")

    def find_matches(self, request: Request, limit: int) -> list[RuleMatch]:
        """What CRS finds in a request of whose body the first `limit` bytes are looked at."""
        if self._rules is None:
            return []
        self._found.clear()
        body = extract_inspected_body(request, limit)
        transaction = self._transaction(self._engine, self._rules)
        transaction.process_connection(request.client_address, 0, "127.0.0.1", 443)
        transaction.process_uri(_with_path_as_arguments(request), request.method, "1.1")
        for name, value in request.headers:
            transaction.add_request_header(name, str(len(body)) if name == "content-length" else value)
        transaction.process_request_headers()
        if body:
            transaction.append_request_body(body)
        transaction.process_request_body()
        return [_hit(message) for message in self._found]


def _with_path_as_arguments(request: Request) -> str:
    """CRS looks into arguments and hardly into paths, where a service like this has its clients' values. AWS has
    rules for both."""
    segments = "&".join(
        f"{PATH_SEGMENT_ARGUMENT}={segment.replace('&', '%26')}" for segment in request.path.split("/") if segment
    )
    return f"{request.path}?{request.query}&{segments}" if request.query else f"{request.path}?{segments}"


def _hit(message: "RuleMessage") -> RuleMatch:
    found = _VARIABLE.search(f"{_text(message, 'data')} {_text(message, 'match')}")
    variable = (found[1] or found[2]) if found else ""
    return RuleMatch(str(message.rule_id), _place(variable), SEVERITY_SCORES.get(message.severity, 0), message.message)


def _text(message: "RuleMessage", name: str) -> str:
    """Of a match; it quotes what was sent, and what is no UTF-8 cannot be had."""
    try:
        return str(getattr(message, name))
    except UnicodeDecodeError:
        return ""


def _place(variable: str) -> str:
    for name, place in _PLACES:
        if variable.startswith(name):
            return place
    if variable.startswith(f"ARGS:{PATH_SEGMENT_ARGUMENT}"):
        return table.URI
    if variable.startswith("ARGS"):
        return table.BODY if variable.partition(":")[2].startswith("json") else table.QUERY
    return table.URI
