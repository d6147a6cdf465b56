"""Secrets: their addresses may be shown, never what is in them."""

import json
from typing import Any

from tests.template.rules.reading import of_type
from tests.template.rules.rule import Rule, RuleMatch, Template

_SHOWS = ("{{resolve:", "ClientSecret", "SecretString")


class SecretsUnseen(Rule):
    """Outputs, and the environment of functions, are read by whoever may look at the stack."""

    id = "E9124"
    shortdesc = "No output and no environment of a function has a secret in it"

    def match(self, cfn: Template) -> list[RuleMatch]:
        outputs = [("Outputs", name, output["Value"]) for name, output in cfn.template.get("Outputs", {}).items()]
        functions = [
            ("Resources", name, function.get("Environment", {}))
            for name, function in of_type(cfn, "AWS::Lambda::Function")
        ]
        return [
            RuleMatch([part, name], f"{name} shows a secret")
            for part, name, value in (*outputs, *functions)
            if self._shown(value)
        ]

    def _shown(self, value: Any) -> bool:
        return any(word in json.dumps(value) for word in _SHOWS)
