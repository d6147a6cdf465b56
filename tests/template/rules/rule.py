"""The one place that touches cfn-lint's classes, which have no types."""

from cfnlint.rules import CloudFormationLintRule, RuleMatch  # type: ignore[import-untyped]
from cfnlint.template import Template  # type: ignore[import-untyped]

__all__ = ["Rule", "RuleMatch", "Template"]


class Rule(CloudFormationLintRule):  # type: ignore[misc]
    """A rule of this project: `id`, `shortdesc`, and `match`, which returns what breaks it."""

    tags = ("sluice",)

    def match(self, cfn: Template) -> list[RuleMatch]:
        raise NotImplementedError
