"""Event rules."""

from tests.template.rules.reading import of_type
from tests.template.rules.rule import Rule, RuleMatch, Template


class DeadLetters(Rule):
    """After 24 hours EventBridge drops an undelivered event, unless the target has a dead-letter queue.

    The event of a schedule without a retry needs none: the next one takes its place.
    """

    id = "E9113"
    shortdesc = "Every target of an event rule has a dead-letter queue, unless its events are not retried"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(
                ["Resources", name, "Properties", "Targets"],
                f"The target {target['Id']} of {name} has no dead-letter queue",
            )
            for name, rule in of_type(cfn, "AWS::Events::Rule")
            for target in rule["Targets"]
            if not target.get("DeadLetterConfig", {}).get("Arn")
            if "ScheduleExpression" not in rule or target.get("RetryPolicy", {}).get("MaximumRetryAttempts") != 0
        ]
