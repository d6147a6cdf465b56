"""The statement of a rule, as a predicate on a request, and the counter for rate-based statements.

A managed rule group is no predicate; see `managed_groups`.
"""

import operator
import re
from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, reject_unknown_keys, require_one_key
from local.edge.waf.inspection import Inspection, parse_field_to_match, parse_text_transformations

Predicate = Callable[[Inspection], bool]

RATE_WINDOWS_SECONDS = (60, 120, 300, 600)
MAX_RATE_KEYS = 10_000
_COMPARISONS = {
    "EQ": operator.eq, "NE": operator.ne, "LT": operator.lt, "LE": operator.le, "GT": operator.gt, "GE": operator.ge
}  # fmt: skip
_POSITIONS: dict[str, Callable[[bytes, bytes], bool]] = {
    "EXACTLY": operator.eq,
    "STARTS_WITH": bytes.startswith,
    "ENDS_WITH": bytes.endswith,
    "CONTAINS": lambda value, wanted: wanted in value,
}


class RateCounter:
    """Counts requests by rule and aggregation key.

    AWS estimates the rate and checks it every few seconds; this counter counts each request at once.
    """

    def __init__(self) -> None:
        self._times: OrderedDict[tuple[str, str], deque[float]] = OrderedDict()

    def exceeds_limit(self, rule: str, key: str, now: float, *, limit: int, seconds: int) -> bool:
        """Count a request at `now` (in seconds). Return whether the last `seconds` had more than `limit` requests."""
        times = self._times.setdefault((rule, key), deque())
        self._times.move_to_end((rule, key))
        while len(self._times) > MAX_RATE_KEYS:
            self._times.popitem(last=False)
        times.append(now)
        while times[0] <= now - seconds:
            times.popleft()
        return len(times) > limit


class StatementParser:
    """Parses the statements of one rule. `rule` names it in error messages and in the rate counter."""

    def __init__(self, rule: str, rates: RateCounter) -> None:
        self._rule = rule
        self._rates = rates
        self._parsers: dict[str, Callable[[dict[str, Any]], Predicate]] = {
            "AndStatement": self._parse_and,
            "OrStatement": self._parse_or,
            "NotStatement": self._parse_not,
            "ByteMatchStatement": self._parse_byte_match,
            "RegexMatchStatement": self._parse_regex_match,
            "SizeConstraintStatement": self._parse_size_constraint,
            "LabelMatchStatement": self._parse_label_match,
            "RateBasedStatement": self._parse_rate_based,
        }

    def parse_statement(self, config: dict[str, Any]) -> Predicate:
        """Raises UnsupportedConfiguration for an unknown statement or an unknown part of one."""
        kind = require_one_key(config, self._parsers, f"the statement of {self._rule}")
        return self._parsers[kind](config[kind])

    def _parse_and(self, config: dict[str, Any]) -> Predicate:
        reject_unknown_keys(config, ("Statements",), "AndStatement")
        predicates = [self.parse_statement(part) for part in config["Statements"]]
        return lambda inspection: all(predicate(inspection) for predicate in predicates)

    def _parse_or(self, config: dict[str, Any]) -> Predicate:
        reject_unknown_keys(config, ("Statements",), "OrStatement")
        predicates = [self.parse_statement(part) for part in config["Statements"]]
        return lambda inspection: any(predicate(inspection) for predicate in predicates)

    def _parse_not(self, config: dict[str, Any]) -> Predicate:
        reject_unknown_keys(config, ("Statement",), "NotStatement")
        predicate = self.parse_statement(config["Statement"])
        return lambda inspection: not predicate(inspection)

    def _parse_byte_match(self, config: dict[str, Any]) -> Predicate:
        known_keys = ("SearchString", "FieldToMatch", "TextTransformations", "PositionalConstraint")
        reject_unknown_keys(config, known_keys, "ByteMatchStatement")
        position = config["PositionalConstraint"]
        if position not in _POSITIONS:
            raise UnsupportedConfiguration(
                f"{self._rule}: the local edge does not support the positional constraint {position}"
            )
        wanted, matches = bytes(config["SearchString"]), _POSITIONS[position]
        return self._match_field_values(config, lambda value: matches(value, wanted))

    def _parse_regex_match(self, config: dict[str, Any]) -> Predicate:
        reject_unknown_keys(config, ("RegexString", "FieldToMatch", "TextTransformations"), "RegexMatchStatement")
        pattern = re.compile(str(config["RegexString"]).encode())
        return self._match_field_values(config, lambda value: pattern.search(value) is not None)

    def _parse_size_constraint(self, config: dict[str, Any]) -> Predicate:
        known_keys = ("FieldToMatch", "ComparisonOperator", "Size", "TextTransformations")
        reject_unknown_keys(config, known_keys, "SizeConstraintStatement")
        compare, size = _COMPARISONS[config["ComparisonOperator"]], int(config["Size"])
        return self._match_field_values(config, lambda value: compare(len(value), size))

    def _match_field_values(self, config: dict[str, Any], matches: Callable[[bytes], bool]) -> Predicate:
        read_values = parse_field_to_match(config["FieldToMatch"])
        transform = parse_text_transformations(config["TextTransformations"])

        def predicate(inspection: Inspection) -> bool:
            values, oversize = read_values(inspection)
            return oversize if oversize is not None else any(matches(transform(value)) for value in values)

        return predicate

    def _parse_label_match(self, config: dict[str, Any]) -> Predicate:
        reject_unknown_keys(config, ("Scope", "Key"), "LabelMatchStatement")
        key = str(config["Key"])
        if config["Scope"] != "LABEL":
            raise UnsupportedConfiguration(f"{self._rule}: the local edge knows a label by its whole name only")
        return lambda inspection: key in inspection.labels

    def _parse_rate_based(self, config: dict[str, Any]) -> Predicate:
        known_keys = ("Limit", "EvaluationWindowSec", "AggregateKeyType", "ScopeDownStatement", "ForwardedIPConfig")
        reject_unknown_keys(config, known_keys, "RateBasedStatement")
        limit, seconds = int(config["Limit"]), int(config.get("EvaluationWindowSec", 300))
        if limit < 10 or seconds not in RATE_WINDOWS_SECONDS:
            raise UnsupportedConfiguration(
                f"{self._rule}: AWS accepts limits from 10 and windows of {RATE_WINDOWS_SECONDS} seconds"
            )
        read_key = self._parse_aggregate_key(config)
        scope = self.parse_statement(config["ScopeDownStatement"]) if config.get("ScopeDownStatement") else None

        def predicate(inspection: Inspection) -> bool:
            if scope and not scope(inspection):
                return False
            key = read_key(inspection)
            return self._rates.exceeds_limit(self._rule, key, inspection.now, limit=limit, seconds=seconds)

        return predicate

    def _parse_aggregate_key(self, config: dict[str, Any]) -> Callable[[Inspection], str]:
        kind = config["AggregateKeyType"]
        if kind == "IP" and "ForwardedIPConfig" not in config:
            return lambda inspection: inspection.request.client_address
        if kind == "CONSTANT" and "ForwardedIPConfig" not in config:
            return lambda _inspection: ""
        raise UnsupportedConfiguration(
            f"{self._rule}: the local edge counts requests by address or all together, not by {kind}"
        )
