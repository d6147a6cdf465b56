"""A web ACL as WAF's own API shows it, and what it says of a request."""

from dataclasses import dataclass
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, reject_unknown_keys, require_one_key
from local.edge.http_messages import Request, Response
from local.edge.waf.inspection import Inspection
from local.edge.waf.managed_groups import ManagedGroup, parse_managed_group
from local.edge.waf.modsecurity import RuleEngine
from local.edge.waf.statements import Predicate, RateCounter, StatementParser

_LIMITS = {"KB_16": 16_384, "KB_32": 32_768, "KB_48": 49_152, "KB_64": 65_536}


_ACL = (
    "Name", "Id", "ARN", "Scope", "Description", "DefaultAction", "Rules", "VisibilityConfig", "Capacity",
    "CustomResponseBodies", "AssociationConfig", "LabelNamespace", "ManagedByFirewallManager", "Tags",
)  # fmt: skip


_RULE = ("Name", "Priority", "Statement", "Action", "OverrideAction", "RuleLabels", "VisibilityConfig")


_TYPES = {"APPLICATION_JSON": "application/json", "TEXT_HTML": "text/html", "TEXT_PLAIN": "text/plain"}


@dataclass(frozen=True)
class BlockDecision:
    """By which rule, what it matched, and the answer that the web ACL itself gives, if it has one."""

    rule_name: str
    matched_rules: tuple[str, ...] = ()
    response: Response | None = None


@dataclass(frozen=True)
class _Rule:
    name: str
    test: Predicate | ManagedGroup
    action: str
    blocked: Response | None
    labels: tuple[str, ...]

    def matches(self, inspected: Inspection) -> list[str] | None:
        if isinstance(self.test, ManagedGroup):
            return self.test.find_blocking_rules(inspected) or None
        return [] if self.test(inspected) else None


class WebAcl:
    """Raises NotUnderstood for whatever of it the edge could not enforce."""

    def __init__(self, given: dict[str, Any], rates: RateCounter) -> None:
        reject_unknown_keys(given, _ACL, f"web ACL {given.get('Name')}")
        self.name = str(given["Name"])
        self._bodies = given.get("CustomResponseBodies") or {}
        self._limit = _limit(given.get("AssociationConfig") or {})
        self._rates = rates
        self._rules = [self._rule(rule) for rule in sorted(given["Rules"], key=lambda rule: int(rule["Priority"]))]
        self._allows, self._default = self._action(given["DefaultAction"], "DefaultAction", ("Allow", "Block"))
        self._engine = RuleEngine(rule.test.group for rule in self._rules if isinstance(rule.test, ManagedGroup))

    @property
    def has_inactive_groups(self) -> bool:
        """Whether it has managed groups whose rules nothing on this machine can run."""
        return self._engine.is_unavailable

    def find_block(self, request: Request, now: float) -> BlockDecision | None:
        """What blocks the request, or None when it may pass. `now` is a clock in seconds."""
        inspected = Inspection(request, self._limit, self._engine, now)
        for rule in self._rules:
            matched = rule.matches(inspected)
            if matched is None:
                continue
            inspected.labels.update(rule.labels)
            if rule.action == "Allow":
                return None
            if rule.action == "Block":
                return BlockDecision(rule.name, tuple(matched), rule.blocked)
        return None if self._allows == "Allow" else BlockDecision("Default_Action", (), self._default)

    def _rule(self, given: dict[str, Any]) -> _Rule:
        name = f"{self.name}/{given['Name']}"
        reject_unknown_keys(given, _RULE, name)
        statement = given["Statement"]
        labels = tuple(str(label["Name"]) for label in given.get("RuleLabels") or [])
        if "ManagedRuleGroupStatement" in statement:
            reject_unknown_keys(statement, ("ManagedRuleGroupStatement",), name)
            override = require_one_key(
                given.get("OverrideAction") or {}, ("None", "Count"), f"OverrideAction of {name}"
            )
            group = parse_managed_group(statement["ManagedRuleGroupStatement"])
            return _Rule(given["Name"], group, "Count" if override == "Count" else "Block", None, labels)
        action, answer = self._action(given.get("Action") or {}, name, ("Allow", "Block", "Count"))
        return _Rule(
            given["Name"], StatementParser(name, self._rates).parse_statement(statement), action, answer, labels
        )

    def _action(self, given: dict[str, Any], what: str, known: tuple[str, ...]) -> tuple[str, Response | None]:
        kind = require_one_key(given, known, f"the action of {what}")
        reject_unknown_keys(given[kind], ("CustomResponse",) if kind == "Block" else (), f"{kind} of {what}")
        custom = given[kind].get("CustomResponse")
        return kind, self._answer(custom, what) if custom else None

    def _answer(self, given: dict[str, Any], what: str) -> Response:
        reject_unknown_keys(
            given, ("ResponseCode", "CustomResponseBodyKey", "ResponseHeaders"), f"CustomResponse of {what}"
        )
        headers = [(str(part["Name"]).lower(), str(part["Value"])) for part in given.get("ResponseHeaders") or []]
        key = given.get("CustomResponseBodyKey")
        if not key:
            return Response(int(given["ResponseCode"]), headers)
        if key not in self._bodies:
            raise UnsupportedConfiguration(f"{what} answers with {key}, which is none of CustomResponseBodies")
        body = self._bodies[key]
        answer = Response(
            int(given["ResponseCode"]), [("content-type", _TYPES[body["ContentType"]])], body["Content"].encode()
        )
        return answer.with_headers(*headers)


def _limit(given: dict[str, Any]) -> int:
    reject_unknown_keys(given, ("RequestBody",), "AssociationConfig")
    reject_unknown_keys(given.get("RequestBody") or {}, ("CLOUDFRONT", "API_GATEWAY"), "AssociationConfig")
    for kind in (given.get("RequestBody") or {}).values():
        return _LIMITS[kind["DefaultSizeInspectionLimit"]]
    return _LIMITS["KB_16"]
