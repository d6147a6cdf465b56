"""How many requests came lately, for rules with a limit.

What a rule's statement says, as a test of a request. A managed rule group is no test but has a verdict of its own
(`groups`).
"""

import operator
import re
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, reject_unknown_keys, require_one_key
from local.edge.waf.inspection import Inspection, parse_field_to_match, parse_text_transformations

MAX_RATE_KEYS = 10_000


class RateCounter:
    """Counts by rule and by what the rule counts for. AWS estimates, and looks every few seconds; here every request is
    counted at once."""

    def __init__(self) -> None:
        self._seen: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def exceeds_limit(self, rule: str, key: str, now: float, *, limit: int, seconds: int) -> bool:
        """Count one more at `now` (in seconds), and say whether there were more than `limit` in the last `seconds`."""
        times = self._seen.setdefault((rule, key), deque())
        self._seen.move_to_end((rule, key))
        while len(self._seen) > MAX_RATE_KEYS:
            self._seen.popitem(last=False)
        times.append(now)
        while times[0] <= now - seconds:
            times.popleft()
        return len(times) > limit


Predicate = Callable[[Inspection], bool]


RATE_WINDOWS_SECONDS = (60, 120, 300, 600)


_COMPARISONS = {
    "EQ": operator.eq, "NE": operator.ne, "LT": operator.lt, "LE": operator.le, "GT": operator.gt, "GE": operator.ge
}  # fmt: skip


_POSITIONS: dict[str, Callable[[bytes, bytes], bool]] = {
    "EXACTLY": operator.eq,
    "STARTS_WITH": bytes.startswith,
    "ENDS_WITH": bytes.endswith,
    "CONTAINS": lambda value, wanted: wanted in value,
}


class StatementParser:
    """Makes tests of statements. `rule` names the rule that they are of, for what it counts."""

    def __init__(self, rule: str, rates: RateCounter) -> None:
        self._rule = rule
        self._rates = rates
        self._known: dict[str, Callable[[dict[str, Any]], Predicate]] = {
            "AndStatement": self._and,
            "OrStatement": self._or,
            "NotStatement": self._not,
            "ByteMatchStatement": self._byte_match,
            "RegexMatchStatement": self._regex,
            "SizeConstraintStatement": self._size,
            "LabelMatchStatement": self._label,
            "RateBasedStatement": self._rate,
        }

    def parse_statement(self, given: dict[str, Any]) -> Predicate:
        """Raises NotUnderstood for a statement, or a part of one, that is not known."""
        kind = require_one_key(given, self._known, f"the statement of {self._rule}")
        return self._known[kind](given[kind])

    def _and(self, given: dict[str, Any]) -> Predicate:
        reject_unknown_keys(given, ("Statements",), "AndStatement")
        parts = [self.parse_statement(part) for part in given["Statements"]]
        return lambda inspected: all(part(inspected) for part in parts)

    def _or(self, given: dict[str, Any]) -> Predicate:
        reject_unknown_keys(given, ("Statements",), "OrStatement")
        parts = [self.parse_statement(part) for part in given["Statements"]]
        return lambda inspected: any(part(inspected) for part in parts)

    def _not(self, given: dict[str, Any]) -> Predicate:
        reject_unknown_keys(given, ("Statement",), "NotStatement")
        part = self.parse_statement(given["Statement"])
        return lambda inspected: not part(inspected)

    def _byte_match(self, given: dict[str, Any]) -> Predicate:
        reject_unknown_keys(
            given, ("SearchString", "FieldToMatch", "TextTransformations", "PositionalConstraint"), "ByteMatchStatement"
        )
        position = given["PositionalConstraint"]
        if position not in _POSITIONS:
            raise UnsupportedConfiguration(f"{self._rule}: the position {position} is not looked for by the local edge")
        wanted, compare = bytes(given["SearchString"]), _POSITIONS[position]
        return self._of_fields(given, lambda value: compare(value, wanted))

    def _regex(self, given: dict[str, Any]) -> Predicate:
        reject_unknown_keys(given, ("RegexString", "FieldToMatch", "TextTransformations"), "RegexMatchStatement")
        pattern = re.compile(str(given["RegexString"]).encode())
        return self._of_fields(given, lambda value: pattern.search(value) is not None)

    def _size(self, given: dict[str, Any]) -> Predicate:
        reject_unknown_keys(
            given, ("FieldToMatch", "ComparisonOperator", "Size", "TextTransformations"), "SizeConstraintStatement"
        )
        compare, size = _COMPARISONS[given["ComparisonOperator"]], int(given["Size"])
        return self._of_fields(given, lambda value: compare(len(value), size))

    def _of_fields(self, given: dict[str, Any], matches: Callable[[bytes], bool]) -> Predicate:
        read, changed = (
            parse_field_to_match(given["FieldToMatch"]),
            parse_text_transformations(given["TextTransformations"]),
        )

        def test(inspected: Inspection) -> bool:
            values, oversize = read(inspected)
            return oversize if oversize is not None else any(matches(changed(value)) for value in values)

        return test

    def _label(self, given: dict[str, Any]) -> Predicate:
        reject_unknown_keys(given, ("Scope", "Key"), "LabelMatchStatement")
        key = str(given["Key"])
        if given["Scope"] != "LABEL" or key.startswith("awswaf:managed:"):
            raise UnsupportedConfiguration(
                f"{self._rule}: labels are known by their whole name, and only those of the web ACL's own rules"
            )
        return lambda inspected: key in inspected.labels

    def _rate(self, given: dict[str, Any]) -> Predicate:
        reject_unknown_keys(
            given,
            ("Limit", "EvaluationWindowSec", "AggregateKeyType", "ScopeDownStatement", "ForwardedIPConfig"),
            "RateBasedStatement",
        )
        limit, seconds = int(given["Limit"]), int(given.get("EvaluationWindowSec", 300))
        if limit < 10 or seconds not in RATE_WINDOWS_SECONDS:
            raise UnsupportedConfiguration(
                f"{self._rule}: AWS takes limits from 10 and windows of {RATE_WINDOWS_SECONDS} seconds"
            )
        key = self._rate_key(given)
        scope = self.parse_statement(given["ScopeDownStatement"]) if given.get("ScopeDownStatement") else None

        def test(inspected: Inspection) -> bool:
            if scope and not scope(inspected):
                return False
            return self._rates.exceeds_limit(self._rule, key(inspected), inspected.now, limit=limit, seconds=seconds)

        return test

    def _rate_key(self, given: dict[str, Any]) -> Callable[[Inspection], str]:
        kind = given["AggregateKeyType"]
        if kind == "IP" and "ForwardedIPConfig" not in given:
            return lambda inspected: inspected.request.client_address
        if kind == "CONSTANT" and "ForwardedIPConfig" not in given:
            return lambda _inspected: ""
        raise UnsupportedConfiguration(f"{self._rule}: the local edge counts by address or in all, not by {kind}")
