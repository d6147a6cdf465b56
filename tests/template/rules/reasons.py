"""Comments: only the source file has them, so this rule runs before the translation."""

from pathlib import Path

import yaml

from testkit.translate import lines
from tests.template.rules.rule import Rule, RuleMatch, Template


class WildcardReasons(Rule):
    """A wildcard resource needs a comment with the reason why it cannot be narrower."""

    id = "E9115"
    shortdesc = 'No Resource: "*" without a comment that gives the reason'

    def match(self, cfn: Template) -> list[RuleMatch]:
        path = Path(str(cfn.filename))
        source = path.read_text().splitlines()
        return [
            RuleMatch(["Resources"], f'line {line + 1}: Resource "*" without a comment giving the reason')
            for key, value in lines(path)
            if key.value == "Resource"
            for line in _wildcards(value)
            if "#" not in source[line] and not source[line - 1].lstrip().startswith("#")
        ]


def _wildcards(value: yaml.Node) -> list[int]:
    """The lines, from 0, where a policy statement allows every resource."""
    choices = value.value if isinstance(value, yaml.SequenceNode) else [value]
    return [
        choice.start_mark.line for choice in choices if choice.value == "*" and choice.tag == "tag:yaml.org,2002:str"
    ]
