"""Replicas: each is like the others, and a deploy changes one after the other."""

from collections.abc import Iterator

from tests.template.rules.reading import Properties, as_list, of_type
from tests.template.rules.rule import Rule, RuleMatch, Template


class ReplicasAlike(Rule):
    """Reads go to any replica. CloudFormation changes at once what does not depend on each other, and a change of the
    class or of the version restarts an instance: with all of them, no reads would be left."""

    id = "E9191"
    shortdesc = "Replicas have the same properties, and each depends on another one"

    def match(self, cfn: Template) -> list[RuleMatch]:
        replicas = {
            name: properties
            for name, properties in of_type(cfn, "AWS::RDS::DBInstance")
            if "SourceDBInstanceIdentifier" in properties
        }
        return [
            RuleMatch(["Resources", name], f"{name} {fault}")
            for name in replicas
            for fault in self._find_faults(cfn, name, replicas)
        ]

    def _find_faults(self, cfn: Template, name: str, replicas: dict[str, Properties]) -> Iterator[str]:
        names = sorted(replicas)  # Replica, Replica2 and so on
        number = names.index(name)
        if number == 0:
            return
        before = names[number - 1]
        if replicas[name] != replicas[before]:
            yield f"has other properties than {before}"
        if before not in as_list(cfn.template["Resources"][name].get("DependsOn", [])):
            yield f"does not depend on {before}"
