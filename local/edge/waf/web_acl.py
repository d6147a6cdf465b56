"""A web ACL, as the WAF API returns it, and its decision on a request."""

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, reject_unknown_keys, require_one_key
from local.edge.http_messages import Request, Response
from local.edge.waf.inspection import Inspection
from local.edge.waf.managed_groups import ManagedGroup, parse_managed_group
from local.edge.waf.rule_engine import RuleEngine
from local.edge.waf.statements import Predicate, RateCounter, StatementParser

_BODY_LIMITS = {"KB_16": 16_384, "KB_32": 32_768, "KB_48": 49_152, "KB_64": 65_536}
_ACL_KEYS = (
    "Name", "Id", "ARN", "Scope", "Description", "DefaultAction", "Rules", "VisibilityConfig", "Capacity",
    "CustomResponseBodies", "AssociationConfig", "LabelNamespace", "ManagedByFirewallManager", "Tags",
)  # fmt: skip
_RULE_KEYS = ("Name", "Priority", "Statement", "Action", "OverrideAction", "RuleLabels", "VisibilityConfig")
_CONTENT_TYPES = {"APPLICATION_JSON": "application/json", "TEXT_HTML": "text/html", "TEXT_PLAIN": "text/plain"}

DEFAULT_ACTION = "Default_Action"
Decision = tuple[str, bool, int]
"""The metric of the rule that decided, whether it blocked, and the second."""


@dataclass(frozen=True)
class BlockDecision:
    """The rule that blocks a request, and the custom response of the web ACL, if it has one.

    `matched_rules` are the rules of the managed group that blocks, or the labels of the request.
    """

    rule_name: str
    matched_rules: tuple[str, ...] = ()
    response: Response | None = None


@dataclass(frozen=True)
class _Rule:
    name: str
    condition: Predicate | ManagedGroup
    action: str
    response: Response | None
    labels: tuple[str, ...]
    metric_name: str

    def find_matches(self, inspection: Inspection) -> list[str] | None:
        """The names of the matched rules of a managed group (none for another statement), or None without a match."""
        if isinstance(self.condition, ManagedGroup):
            return self.condition.find_blocking_rules(inspection) or None
        return [] if self.condition(inspection) else None


class WebAcl:
    """Raises UnsupportedConfiguration for each part that the edge cannot enforce."""

    def __init__(self, config: dict[str, Any], rates: RateCounter) -> None:
        reject_unknown_keys(config, _ACL_KEYS, f"web ACL {config.get('Name')}")
        self.name = str(config["Name"])
        self.metric_name = _read_metric_name(config)
        self.is_global = ":global/" in str(config.get("ARN", ""))
        self._decisions: Counter[Decision] = Counter()
        self._bodies = config.get("CustomResponseBodies") or {}
        self._body_limit = _parse_body_limit(config.get("AssociationConfig") or {})
        self._rates = rates
        self._rules = [
            self._parse_rule(rule) for rule in sorted(config["Rules"], key=lambda rule: int(rule["Priority"]))
        ]
        self._default_action, self._default_response = self._parse_action(
            config["DefaultAction"], "DefaultAction", ("Allow", "Block")
        )
        self._engine = RuleEngine(
            rule.condition.group for rule in self._rules if isinstance(rule.condition, ManagedGroup)
        )

    @property
    def has_inactive_groups(self) -> bool:
        """Whether it has managed groups whose rules this machine cannot run."""
        return self._engine.is_unavailable

    def find_block(self, request: Request, now: float) -> BlockDecision | None:
        """The decision to block the request, or None to let it pass. `now` is a clock in seconds."""
        metric_name, block = self._decide(request, now)
        self._decisions[metric_name, block is not None, int(time.time())] += 1
        return block

    def take_decisions(self) -> Counter[Decision]:
        """Return the number of each decision since the last call."""
        decisions, self._decisions = self._decisions, Counter()
        return decisions

    def _decide(self, request: Request, now: float) -> tuple[str, BlockDecision | None]:
        """The metric of the rule that ended the evaluation, and its decision."""
        inspection = Inspection(request, self._body_limit, self._engine, now)
        for rule in self._rules:
            matches = rule.find_matches(inspection)
            if matches is None:
                continue
            inspection.labels.update(rule.labels)
            if rule.action == "Allow":
                return rule.metric_name, None
            if rule.action == "Block":
                matched = tuple(matches) or tuple(sorted(inspection.labels))
                return rule.metric_name, BlockDecision(rule.name, matched, rule.response)
        if self._default_action == "Allow":
            return DEFAULT_ACTION, None
        return DEFAULT_ACTION, BlockDecision(DEFAULT_ACTION, (), self._default_response)

    def _parse_rule(self, config: dict[str, Any]) -> _Rule:
        name, context = config["Name"], f"{self.name}/{config['Name']}"
        reject_unknown_keys(config, _RULE_KEYS, context)
        statement = config["Statement"]
        labels = tuple(str(label["Name"]) for label in config.get("RuleLabels") or [])
        if "ManagedRuleGroupStatement" in statement:
            reject_unknown_keys(statement, ("ManagedRuleGroupStatement",), context)
            override = require_one_key(
                config.get("OverrideAction") or {}, ("None", "Count"), f"OverrideAction of {context}"
            )
            group = parse_managed_group(statement["ManagedRuleGroupStatement"])
            action = "Count" if override == "Count" else "Block"
            return _Rule(name, group, action, None, labels, _read_metric_name(config))
        action, response = self._parse_action(config.get("Action") or {}, context, ("Allow", "Block", "Count"))
        condition = StatementParser(context, self._rates).parse_statement(statement)
        return _Rule(name, condition, action, response, labels, _read_metric_name(config))

    def _parse_action(
        self, config: dict[str, Any], context: str, known_keys: tuple[str, ...]
    ) -> tuple[str, Response | None]:
        kind = require_one_key(config, known_keys, f"the action of {context}")
        reject_unknown_keys(config[kind], ("CustomResponse",) if kind == "Block" else (), f"{kind} of {context}")
        custom = config[kind].get("CustomResponse")
        return kind, self._build_custom_response(custom, context) if custom else None

    def _build_custom_response(self, config: dict[str, Any], context: str) -> Response:
        known_keys = ("ResponseCode", "CustomResponseBodyKey", "ResponseHeaders")
        reject_unknown_keys(config, known_keys, f"CustomResponse of {context}")
        status = int(config["ResponseCode"])
        headers = [(str(part["Name"]).lower(), str(part["Value"])) for part in config.get("ResponseHeaders") or []]
        key = config.get("CustomResponseBodyKey")
        if not key:
            return Response(status, headers)
        if key not in self._bodies:
            raise UnsupportedConfiguration(f"{context}: CustomResponseBodies has no body {key}")
        body = self._bodies[key]
        content_type = ("content-type", _CONTENT_TYPES[body["ContentType"]])
        return Response(status, [content_type], body["Content"].encode()).with_headers(*headers)


def _read_metric_name(config: dict[str, Any]) -> str:
    return str((config.get("VisibilityConfig") or {}).get("MetricName") or config["Name"])


def _parse_body_limit(config: dict[str, Any]) -> int:
    """How many bytes of a body the firewall inspects."""
    reject_unknown_keys(config, ("RequestBody",), "AssociationConfig")
    reject_unknown_keys(config.get("RequestBody") or {}, ("CLOUDFRONT", "API_GATEWAY"), "AssociationConfig")
    for section in (config.get("RequestBody") or {}).values():
        return _BODY_LIMITS[section["DefaultSizeInspectionLimit"]]
    return _BODY_LIMITS["KB_16"]
