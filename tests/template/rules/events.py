"""Events."""

from tests.template.rules.reading import of_type
from tests.template.rules.rule import Rule, RuleMatch, Template


class DeadLetters(Rule):
    """EventBridge drops what it could not deliver for 24 hours, unless there is a queue for it."""

    id = "E9113"
    shortdesc = "Every target of an event rule has a dead-letter queue"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties", "Targets"], f"The target {target['Id']} of {name} has no DLQ")
            for name, rule in of_type(cfn, "AWS::Events::Rule")
            for target in rule["Targets"]
            if not target.get("DeadLetterConfig", {}).get("Arn")
        ]
