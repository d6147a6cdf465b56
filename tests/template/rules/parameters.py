"""Parameters: whoever deploys reads what each is for, and what a refused value should have been."""

from tests.template.rules.rule import Rule, RuleMatch, Template

_LIMITS = ("AllowedPattern", "MinValue", "MaxValue", "MinLength", "MaxLength")


class Described(Rule):
    """A parameter without words is a riddle at the moment of a deploy."""

    id = "E9114"
    shortdesc = "Every parameter is described, and every limit explained"

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
            faults.append("takes any value")
        return faults
