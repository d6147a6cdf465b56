"""A managed rule group's verdict on a request, by the table of what stands in for its rules."""

from dataclasses import dataclass
from typing import Any

from local.edge.config_checks import UnsupportedConfiguration, reject_unknown_keys, require_one_key
from local.edge.waf import managed_rules as table
from local.edge.waf.inspection import Inspection
from local.edge.waf.modsecurity import RuleMatch


@dataclass(frozen=True)
class ManagedGroup:
    """`counted` are those of its rules that the web ACL only counts."""

    name: str
    group: table.RuleGroup
    counted_rules: frozenset[str]

    def find_blocking_rules(self, inspected: Inspection) -> list[str]:
        """What would make it block: the names of AWS's rules, and of CRS's where AWS has no name for what was found."""
        tests = [
            name
            for name, stand in self.group.rules.items()
            if name not in self.counted_rules and stand.check and stand.check(inspected.request)
        ]
        if not self.group.rule_files:
            return tests
        found = {id(hit): (hit, name) for hit in inspected.rule_matches if (name := self._name(hit)) is not None}
        score = sum(hit.score for hit, _ in found.values())
        return tests + (
            [f"{name} ({hit.rule_id})" for hit, name in found.values()] if score >= table.BLOCKING_SCORE else []
        )

    def _name(self, hit: RuleMatch) -> str | None:
        """The name of a rule that a hit counts for; none when it is not the group's, or is only counted."""
        named = [name for name, stand in self.group.rules.items() if _stands(stand, hit)]
        if named:
            # Where two of AWS's rules have the same stand-in, counting one of them does not let through what the
            # other blocks.
            return next((name for name in named if name not in self.counted_rules), None)
        return "CRS" if any(_stands(stand, hit) for stand in self.group.extra_rules) else None


def _stands(stand: table.Substitute, hit: RuleMatch) -> bool:
    return (
        hit.rule_id.startswith(stand.rule_prefixes)
        if stand.rule_prefixes and hit.location in stand.locations
        else False
    )


def parse_managed_group(given: dict[str, Any]) -> ManagedGroup:
    """The group of a ManagedRuleGroupStatement. Raises NotUnderstood."""
    reject_unknown_keys(
        given, ("VendorName", "Name", "RuleActionOverrides", "ExcludedRules"), "ManagedRuleGroupStatement"
    )
    name = given["Name"]
    if given["VendorName"] != "AWS" or name not in table.RULE_GROUPS:
        raise UnsupportedConfiguration(f"nothing stands in for the managed rule group {given['VendorName']} {name}")
    group, counted = table.RULE_GROUPS[name], {rule["Name"] for rule in given.get("ExcludedRules", [])}
    for override in given.get("RuleActionOverrides", []):
        reject_unknown_keys(override, ("Name", "ActionToUse"), "RuleActionOverrides")
        if require_one_key(override["ActionToUse"], ("Count", "Block"), f"RuleActionOverrides of {name}") == "Count":
            counted.add(override["Name"])
    unknown = sorted(counted - set(group.rules))
    if unknown:
        raise UnsupportedConfiguration(f"{name} has no rule {', '.join(unknown)} that the local edge knows of")
    return ManagedGroup(name, group, frozenset(counted))
