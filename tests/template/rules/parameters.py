"""Parameters: each has a description, and each limit has a message."""

from tests.template.rules.rule import Rule, RuleMatch, Template

_LIMITS = ("AllowedPattern", "MinValue", "MaxValue", "MinLength", "MaxLength")


class Described(Rule):
    """`sam deploy --guided` and the console show these texts."""

    id = "E9114"
    shortdesc = "Every parameter has a description, and every limit has a ConstraintDescription"

    def match(self, cfn: Template) -> list[RuleMatch]:
        return [
            RuleMatch(["Parameters", name], f"{name} {fault}")
            for name, parameter in cfn.template["Parameters"].items()
            for fault in self._faults(parameter)
        ]

    def _faults(self, parameter: dict[str, str]) -> list[str]:
        faults = []
        if not parameter.get("Description"):
            faults.append("has no Description")
        limited = any(limit in parameter for limit in _LIMITS)
        if limited and not parameter.get("ConstraintDescription"):
            faults.append("has a limit and no ConstraintDescription")
        if not limited and "AllowedValues" not in parameter:
            faults.append("accepts any value")
        return faults
