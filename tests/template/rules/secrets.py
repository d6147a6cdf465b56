"""Secrets: their ARNs may be visible, their values never."""

import json
from typing import Any

from tests.template.rules.reading import of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

_SECRET_MARKERS = ("{{resolve:", "ClientSecret", "SecretString")


class SecretsHidden(Rule):
    """Everybody who can describe the stack reads outputs and environment variables."""

    id = "E9124"
    shortdesc = "No output and no environment variable contains a secret"

    def match(self, cfn: Template) -> list[RuleMatch]:
        outputs = [("Outputs", name, output["Value"]) for name, output in cfn.template.get("Outputs", {}).items()]
        functions = [
            ("Resources", name, function.get("Environment", {}))
            for name, function in of_type(cfn, "AWS::Lambda::Function")
        ]
        return [
            RuleMatch([part, name], f"{part}/{name} contains a secret")
            for part, name, value in (*outputs, *functions)
            if self._contains_secret(value)
        ]

    def _contains_secret(self, value: Any) -> bool:
        return any(word in json.dumps(value) for word in _SECRET_MARKERS)
