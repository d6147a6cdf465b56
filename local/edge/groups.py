"""A managed rule group's verdict on a request, by the table of what stands in for its rules."""

from dataclasses import dataclass
from typing import Any

from local.edge import managed_groups as table
from local.edge.inspection import Inspection
from local.edge.modsecurity import Hit
from local.edge.refusal import NotUnderstood, one_of, only


@dataclass(frozen=True)
class ManagedGroup:
    """`counted` are those of its rules that the web ACL only counts."""

    name: str
    group: table.Group
    counted: frozenset[str]

    def matched(self, inspected: Inspection) -> list[str]:
        """What would make it block: the names of AWS's rules, and of CRS's where AWS has no name for what was found."""
        tests = [
            name
            for name, stand in self.group.named.items()
            if name not in self.counted and stand.test and stand.test(inspected.request)
        ]
        if not self.group.files:
            return tests
        found = {id(hit): (hit, name) for hit in inspected.hits if (name := self._name(hit)) is not None}
        score = sum(hit.score for hit, _ in found.values())
        return tests + ([f"{name} ({hit.rule})" for hit, name in found.values()] if score >= table.THRESHOLD else [])

    def _name(self, hit: Hit) -> str | None:
        """The name of a rule that a hit counts for; none when it is not the group's, or is only counted."""
        named = [name for name, stand in self.group.named.items() if _stands(stand, hit)]
        if named:
            # Where two of AWS's rules have the same stand-in, counting one of them does not let through what the
            # other blocks.
            return next((name for name in named if name not in self.counted), None)
        return "CRS" if any(_stands(stand, hit) for stand in self.group.more) else None


def _stands(stand: table.Stand, hit: Hit) -> bool:
    return hit.rule.startswith(stand.rules) if stand.rules and hit.place in stand.places else False


def managed_group(given: dict[str, Any]) -> ManagedGroup:
    """The group of a ManagedRuleGroupStatement. Raises NotUnderstood."""
    only(given, ("VendorName", "Name", "RuleActionOverrides", "ExcludedRules"), "ManagedRuleGroupStatement")
    name = given["Name"]
    if given["VendorName"] != "AWS" or name not in table.GROUPS:
        raise NotUnderstood(f"nothing stands in for the managed rule group {given['VendorName']} {name}")
    group, counted = table.GROUPS[name], {rule["Name"] for rule in given.get("ExcludedRules", [])}
    for override in given.get("RuleActionOverrides", []):
        only(override, ("Name", "ActionToUse"), "RuleActionOverrides")
        if one_of(override["ActionToUse"], ("Count", "Block"), f"RuleActionOverrides of {name}") == "Count":
            counted.add(override["Name"])
    unknown = sorted(counted - set(group.named))
    if unknown:
        raise NotUnderstood(f"{name} has no rule {', '.join(unknown)} that the local edge knows of")
    return ManagedGroup(name, group, frozenset(counted))
