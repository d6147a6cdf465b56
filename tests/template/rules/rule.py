"""The base of the rules: only this module imports cfn-lint's untyped classes."""

from functools import cached_property
from typing import Any

from cfnlint.graph import Graph  # type: ignore[import-untyped]
from cfnlint.rules import CloudFormationLintRule, RuleMatch  # type: ignore[import-untyped]
from cfnlint.template import Template as WholeTemplate  # type: ignore[import-untyped]

__all__ = ["Rule", "RuleMatch", "Template"]


class Template(WholeTemplate):  # type: ignore[misc]
    """A template as the rules read it. cfn-lint's own class prepares much more, which no rule here asks for."""

    def __init__(self, filename: str | None, template: dict[str, Any]) -> None:
        self.filename = filename
        self.template = template
        self.transform_pre: dict[str, Any] = {"Globals": {}}  # searches look here too

    @cached_property
    def graph(self) -> Graph:
        """Which resources refer to which."""
        return Graph(self)


class Rule(CloudFormationLintRule):  # type: ignore[misc]
    """A rule of this project: `id`, `shortdesc`, and `match`, which returns the violations."""

    tags = ("sluice",)

    def match(self, cfn: Template) -> list[RuleMatch]:
        raise NotImplementedError
