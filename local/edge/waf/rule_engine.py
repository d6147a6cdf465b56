"""The matches of the Core Rule Set (CRS) in a request: which parts are inspected, and with which rules.

The headers, the path with the query, and the texts of a JSON body are inspected one after the other. Most requests
repeat what an earlier one had in one of them, and what was inspected is not inspected again. Rules that look at two of
these parts at once need the whole request; `_needs_whole_request` says when such a rule could match.
"""

import re
from collections.abc import Iterable
from functools import lru_cache, partial
from urllib.parse import unquote_plus

from local.edge.http_messages import Request
from local.edge.waf import modsecurity
from local.edge.waf.core_rule_set import EXCLUDED_IN_BODIES, NOT_FOR_BODIES
from local.edge.waf.inspected_body import encode_texts, extract_inspected_body, extract_texts, has_json_body
from local.edge.waf.managed_rules import BODY, RuleGroup
from local.edge.waf.modsecurity import PATH_SEGMENT_ARGUMENT, CoreRuleSet, RuleMatch

# How much is kept of what was inspected. The least recent goes first.
MAX_KNOWN_PARTS = 2_000
MAX_KNOWN_VALUES, MAX_KNOWN_VALUE_LENGTH = 50_000, 128

HeaderItems = tuple[tuple[str, str], ...]

# No rule matches these, which stand for a part that is inspected apart.
_USUAL_TARGET = "/"
_USUAL_HEADERS = (("host", "localhost"), ("user-agent", "client"), ("accept", "*/*"))
_TEXT_HEADERS = (*_USUAL_HEADERS, ("content-type", "application/json"))

# What the rules need not look at then: the parts for which these stand, and the names of a list's places.
_NOT_IN_TARGET = frozenset(
    {
        "FILES", "FILES_COMBINED_SIZE", "FILES_NAMES", "REQUEST_BODY", "REQUEST_COOKIES", "REQUEST_COOKIES_NAMES",
        "REQUEST_HEADERS", "REQUEST_HEADERS_NAMES", "REQUEST_METHOD", "REQUEST_PROTOCOL", "XML",
    }
)  # fmt: skip
_NOT_IN_TEXTS = (_NOT_IN_TARGET - {"REQUEST_BODY"}) | {
    "ARGS_NAMES", "QUERY_STRING", "REQUEST_BASENAME", "REQUEST_FILENAME", "REQUEST_LINE", "REQUEST_URI",
    "REQUEST_URI_RAW",
}  # fmt: skip

# Rules 931110, 944110 and 944250 can match two values together, if one of them has such a word.
_WORDS_OF_JOINT_MATCHES = ("runtime", "processbuilder", "include")
_INCLUDE_CALL = re.compile(r"include\s*[(%]")
# Rules 920200, 920201, 943110 and 943120 look at one of these headers and at the path or the query.
_HEADERS_OF_JOINT_MATCHES = frozenset({"range", "request-range", "referer"})


class RuleEngine:
    """Runs the CRS rules that the groups need.

    `is_unavailable` says whether the groups need rules that this machine cannot run.
    """

    def __init__(self, groups: Iterable[RuleGroup]) -> None:
        files = sorted({name for group in groups for name in group.rule_files})
        self.is_unavailable = bool(files) and not modsecurity.IS_AVAILABLE
        self._rules = None
        if not files or self.is_unavailable:
            return
        self._rules = CoreRuleSet(files)
        self._target_rules = CoreRuleSet(files, ignored_variables=_NOT_IN_TARGET)
        self._target_rules_without_names = CoreRuleSet(files, ignored_variables=_NOT_IN_TARGET | {"ARGS_NAMES"})
        self._text_rules = CoreRuleSet(files, (*EXCLUDED_IN_BODIES, *NOT_FOR_BODIES), _NOT_IN_TEXTS)
        self._harmless_names, self._harmless_segments, self._harmless_texts = (KnownValues() for _ in range(3))
        self._find_in_headers = lru_cache(MAX_KNOWN_PARTS)(partial(self._inspect_headers, self._rules))
        self._find_in_target = lru_cache(MAX_KNOWN_PARTS)(self._inspect_target)

    def find_matches(self, request: Request, body_limit: int) -> list[RuleMatch]:
        """The matches in a request, with the first `body_limit` bytes of its body."""
        if self._rules is None:
            return []
        has_texts = has_json_body(request)
        texts = extract_texts(request.body[:body_limit]) if has_texts else []
        if (request.body and not has_texts) or _needs_whole_request(request, texts):
            return self._find_in_whole_request(self._rules, request, extract_inspected_body(request, body_limit))
        headers = _replace_length(request, len(texts[:1]))
        return [
            *self._find_in_headers(request.method, headers),
            *self._find_in_target(request.path, request.query),
            *self._find_in_texts(texts),
        ]

    def _find_in_whole_request(self, rules: CoreRuleSet, request: Request, body: bytes) -> list[RuleMatch]:
        target = _add_path_segments_as_arguments(request.path, request.query, _split_path(request.path))
        matches = rules.find_matches(request.method, target, _replace_length(request, len(body)), body)
        in_body = [match for match in matches if match.location == BODY]
        if not in_body:
            return matches
        # A rule reports only the last place where it matches, but AWS has a rule for each part of a request.
        without_body = rules.find_matches(request.method, target, _replace_length(request, 0), b"")
        elsewhere = [match for match in without_body if match.location != BODY]
        return elsewhere + [match for match in in_body if match.rule_id not in EXCLUDED_IN_BODIES]

    def _inspect_headers(self, rules: CoreRuleSet, method: str, headers: HeaderItems) -> list[RuleMatch]:
        return rules.find_matches(method, _USUAL_TARGET, headers, b"")

    def _inspect_target(self, path: str, query: str) -> list[RuleMatch]:
        """The matches in a path and a query. CRS sees both as a whole; names and path segments only if they are new."""
        names = self._harmless_names.select_others(part.partition("=")[0] for part in query.split("&"))
        segments = self._harmless_segments.select_others(_split_path(path))
        target = _add_path_segments_as_arguments(path, query, segments)
        rules = self._target_rules if names else self._target_rules_without_names
        matches = rules.find_matches("GET", target, _USUAL_HEADERS, b"")
        if not matches:
            self._harmless_names.add(names)
            self._harmless_segments.add(segments)
        return matches

    def _find_in_texts(self, texts: list[str]) -> list[RuleMatch]:
        new_texts = self._harmless_texts.select_others(texts)
        if not new_texts:
            return []
        body = encode_texts(new_texts)
        headers = (*_TEXT_HEADERS, ("content-length", str(len(body))))
        matches = self._text_rules.find_matches("POST", _USUAL_TARGET, headers, body)
        if not matches:
            self._harmless_texts.add(new_texts)
        # Two rules of file 933 do not report that they match in the body. They count if no other rule does.
        return [match for match in matches if match.location == BODY] or matches


class KnownValues:
    """Values without a match, up to a number and a length in characters. The oldest are forgotten first."""

    def __init__(self) -> None:
        self._values: dict[str, None] = {}

    def select_others(self, values: Iterable[str]) -> list[str]:
        """Those of the values that are not known."""
        return [value for value in values if value not in self._values]

    def add(self, values: Iterable[str]) -> None:
        self._values.update((value, None) for value in values if len(value) <= MAX_KNOWN_VALUE_LENGTH)
        while len(self._values) > MAX_KNOWN_VALUES:
            del self._values[next(iter(self._values))]


def _needs_whole_request(request: Request, texts: list[str]) -> bool:
    """Whether a rule could match two parts of the request, or two texts, together and none of them alone."""
    if any(name in _HEADERS_OF_JOINT_MATCHES for name, _ in request.headers):
        return True
    values = (unquote_plus(request.target, "latin-1"), *(value for _, value in request.headers), *texts)
    joined = "\n".join(values).lower()
    words = [word for word in _WORDS_OF_JOINT_MATCHES if word in joined]
    return bool(words) and (words != ["include"] or bool(_INCLUDE_CALL.search(joined)))


def _replace_length(request: Request, length: int) -> HeaderItems:
    """The headers with this Content-Length in place of the one of the request."""
    return tuple((name, str(length) if name == "content-length" else value) for name, value in request.headers)


def _split_path(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _add_path_segments_as_arguments(path: str, query: str, segments: Iterable[str]) -> str:
    """CRS inspects arguments, and paths hardly; but clients of a service like this send values in the path. AWS has
    rules for both."""
    arguments = [f"{PATH_SEGMENT_ARGUMENT}={segment.replace('&', '%26')}" for segment in segments]
    return f"{path}?{'&'.join([query, *arguments] if query else arguments)}"
