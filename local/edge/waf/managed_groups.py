"""The statement of a managed rule group: which of its rules match a request, and what they do with it."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, reject_unknown_keys, require_one_key
from local.edge.waf.inspection import Inspection
from local.edge.waf.managed_rules import BLOCKING_SCORE, RULE_GROUPS, RuleGroup, Substitute
from local.edge.waf.modsecurity import RuleMatch


@dataclass(frozen=True)
class ManagedGroup:
    """`counted_rules` are the rules that count instead of block."""

    name: str
    group: RuleGroup
    counted_rules: frozenset[str]

    def find_blocking_rules(self, inspection: Inspection) -> list[str]:
        """Add the labels of the rules that match. Return the rule that blocks the request, with the CRS rules that it
        stands for, or an empty list.

        As on AWS, a rule that blocks ends the evaluation of the group, and a rule that counts does not.
        """
        matches = self._find_strong_matches(inspection)
        for rule, substitute in self.group.rules.items():
            ids = [match.rule_id for match in matches if self._counts_for(match, rule, substitute)]
            if not ids and not (substitute.check and substitute.check(inspection.request)):
                continue
            inspection.labels.add(self.group.build_label(rule))
            if rule not in self.counted_rules:
                return [f"{rule} ({rule_id})" for rule_id in ids] or [rule]
        return []

    def _find_strong_matches(self, inspection: Inspection) -> list[RuleMatch]:
        """The matches of the group's CRS rules in those parts of the request where they reach the blocking score."""
        if not self.group.rule_files or not inspection.rule_matches:
            return []
        substitutes = [*self.group.rules.values(), *self.group.extra_rules.values()]
        matches = [
            match for match in inspection.rule_matches if any(_covers(substitute, match) for substitute in substitutes)
        ]
        scores: defaultdict[str, int] = defaultdict(int)
        for match in matches:
            scores[match.location] += match.score
        return [match for match in matches if scores[match.location] >= BLOCKING_SCORE]

    def _counts_for(self, match: RuleMatch, rule: str, substitute: Substitute) -> bool:
        if _covers(substitute, match):
            return True
        extra = self.group.extra_rules.get(rule)
        named = any(_covers(other, match) for other in self.group.rules.values())
        return extra is not None and not named and _covers(extra, match)


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
    group = RULE_GROUPS[name]
    counted = {rule["Name"] for rule in config.get("ExcludedRules", [])} | group.counting_rules
    for override in config.get("RuleActionOverrides", []):
        reject_unknown_keys(override, ("Name", "ActionToUse"), "RuleActionOverrides")
        action = require_one_key(override["ActionToUse"], ("Count", "Block"), f"RuleActionOverrides of {name}")
        counted = counted | {override["Name"]} if action == "Count" else counted - {override["Name"]}
    unknown = sorted(counted - set(group.rules))
    if unknown:
        raise UnsupportedConfiguration(f"the local edge knows no rule {', '.join(unknown)} in {name}")
    return ManagedGroup(name, group, frozenset(counted))
