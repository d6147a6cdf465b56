"""The base of the rules: only this module imports cfn-lint's untyped classes."""

from cfnlint.rules import CloudFormationLintRule, RuleMatch  # type: ignore[import-untyped]
from cfnlint.template import Template  # type: ignore[import-untyped]

__all__ = ["Rule", "RuleMatch", "Template"]


class Rule(CloudFormationLintRule):  # type: ignore[misc]
    """A rule of this project: `id`, `shortdesc`, and `match`, which returns the violations."""

    tags = ("sluice",)

    def match(self, cfn: Template) -> list[RuleMatch]:
        raise NotImplementedError
