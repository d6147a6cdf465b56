"""Log groups."""

from tests.template.rules.reading import of_type
from tests.template.rules.rule import Rule, RuleMatch, Template


class LogRetention(Rule):
    """A log group without a retention grows forever."""

    id = "E9104"
    shortdesc = "Log groups have a retention"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Resources", name, "Properties"], f"{name} has no RetentionInDays")
            for name, group in of_type(cfn, "AWS::Logs::LogGroup")
            if not group.get("RetentionInDays")
        ]
