"""The statement of a managed rule group, and which of its rules block a request."""

from dataclasses import dataclass
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, reject_unknown_keys, require_one_key
from local.edge.waf.inspection import Inspection
from local.edge.waf.managed_rules import BLOCKING_SCORE, RULE_GROUPS, RuleGroup, Substitute
from local.edge.waf.modsecurity import RuleMatch


@dataclass(frozen=True)
class ManagedGroup:
    """`counted_rules` are the rules that the web ACL counts instead of blocks."""

    name: str
    group: RuleGroup
    counted_rules: frozenset[str]

    def find_blocking_rules(self, inspection: Inspection) -> list[str]:
        """The names of the AWS rules that block the request, and `CRS (<rule id>)` for matches without an AWS name."""
        checked = [
            name
            for name, substitute in self.group.rules.items()
            if name not in self.counted_rules and substitute.check and substitute.check(inspection.request)
        ]
        if not self.group.rule_files:
            return checked
        matches = [
            (match, name) for match in inspection.rule_matches if (name := self._find_rule_name(match)) is not None
        ]
        if sum(match.score for match, _ in matches) < BLOCKING_SCORE:
            return checked
        return checked + [f"{name} ({match.rule_id})" for match, name in matches]

    def _find_rule_name(self, match: RuleMatch) -> str | None:
        """The name of the rule that a match counts for; None if the match does not belong to the group, or the rule is
        only counted."""
        names = [name for name, substitute in self.group.rules.items() if _covers(substitute, match)]
        if names:
            # If two AWS rules have the same substitute and one of them is only counted, the other one still blocks.
            return next((name for name in names if name not in self.counted_rules), None)
        return "CRS" if any(_covers(substitute, match) for substitute in self.group.extra_rules) else None


def _covers(substitute: Substitute, match: RuleMatch) -> bool:
    if not substitute.rule_prefixes or match.location not in substitute.locations:
        return False
    return match.rule_id.startswith(substitute.rule_prefixes)


def parse_managed_group(config: dict[str, Any]) -> ManagedGroup:
    """Parse a ManagedRuleGroupStatement. Raises UnsupportedConfiguration."""
    known_keys = ("VendorName", "Name", "RuleActionOverrides", "ExcludedRules")
    reject_unknown_keys(config, known_keys, "ManagedRuleGroupStatement")
    name = config["Name"]
    if config["VendorName"] != "AWS" or name not in RULE_GROUPS:
        raise UnsupportedConfiguration(
            f"the local edge has no substitute for the managed rule group {config['VendorName']} {name}"
        )
    group, counted = RULE_GROUPS[name], {rule["Name"] for rule in config.get("ExcludedRules", [])}
    for override in config.get("RuleActionOverrides", []):
        reject_unknown_keys(override, ("Name", "ActionToUse"), "RuleActionOverrides")
        action = require_one_key(override["ActionToUse"], ("Count", "Block"), f"RuleActionOverrides of {name}")
        if action == "Count":
            counted.add(override["Name"])
    unknown = sorted(counted - set(group.rules))
    if unknown:
        raise UnsupportedConfiguration(f"the local edge knows no rule {', '.join(unknown)} in {name}")
    return ManagedGroup(name, group, frozenset(counted))
