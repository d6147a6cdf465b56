"""A template as deployed: conditions decided, resources that they leave out removed, references as text."""

import re
from typing import Any

from tests.template.rules.reading import Properties
from tests.template.rules.rule import Template

REGION = "us-east-1"
_NO_VALUE = object()
_PSEUDO_PARAMETERS = {
    "AWS::AccountId": "111122223333",
    "AWS::NoValue": _NO_VALUE,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "sluice",
}


class Deployed:
    """A template deployed with some parameters, and with the defaults of the others.

    A reference to a resource is its name, an attribute `Name.Attribute`. Where policies can name a resource in several
    ways, each way gives the same text: the ARN of a bucket, and the ARN of a secret.
    """

    def __init__(self, cfn: Template, **parameters: str) -> None:
        template = cfn.template
        defaults = {name: entry.get("Default", "") for name, entry in template.get("Parameters", {}).items()}
        self._parameters = {**defaults, **parameters}
        self._conditions = template.get("Conditions", {})
        self._resources: dict[str, dict[str, Any]] = template["Resources"]

    def of_type(self, kind: str) -> dict[str, Properties]:
        """The properties of the deployed resources of that type, by name."""
        return {
            name: self._resolve(resource.get("Properties", {}))
            for name, resource in self._resources.items()
            if resource["Type"] == kind and ("Condition" not in resource or self._decide(resource["Condition"]))
        }

    def _decide(self, condition: Any) -> bool:
        """Whether a condition, given by its name or as an expression, is true."""
        match condition:
            case str():
                return self._decide(self._conditions[condition])
            case {"Condition": str(name)}:
                return self._decide(name)
            case {"Fn::Not": [inner]}:
                return not self._decide(inner)
            case {"Fn::And": [*inner]}:
                return all(self._decide(part) for part in inner)
            case {"Fn::Or": [*inner]}:
                return any(self._decide(part) for part in inner)
            case {"Fn::Equals": [left, right]}:
                return str(self._resolve(left)) == str(self._resolve(right))
        raise ValueError(f"not a condition: {condition}")

    def _resolve(self, value: Any) -> Any:  # noqa: PLR0911 - one for each function
        """The value without references and Fn::If. Other functions stay, with their arguments resolved."""
        match value:
            case {"Fn::If": [condition, yes, no]}:
                return self._resolve(yes if self._decide(condition) else no)
            case {"Ref": str(name)}:
                return self._refer(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._get_attribute(name, attribute)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^}]+)\}", self._replace, text)
            case dict():
                pairs = [(key, self._resolve(part)) for key, part in value.items()]
                return {key: part for key, part in pairs if part is not _NO_VALUE}
            case list():
                return [part for part in map(self._resolve, value) if part is not _NO_VALUE]
        return value

    def _replace(self, placeholder: re.Match[str]) -> str:
        name, _, attribute = placeholder[1].partition(".")
        return self._get_attribute(name, attribute) if attribute else str(self._refer(name))

    def _refer(self, name: str) -> Any:
        if name in _PSEUDO_PARAMETERS:
            return _PSEUDO_PARAMETERS[name]
        if name in self._parameters:
            return self._parameters[name]
        return self._get_attribute(name, "Id") if self._is_a(name, "AWS::SecretsManager::Secret") else name

    def _get_attribute(self, name: str, attribute: str) -> str:
        if attribute == "Arn" and self._is_a(name, "AWS::S3::Bucket"):
            return f"arn:aws:s3:::{name}"
        if attribute == "Id" and self._is_a(name, "AWS::SecretsManager::Secret"):
            return f"arn:aws:secretsmanager:{REGION}:{_PSEUDO_PARAMETERS['AWS::AccountId']}:secret:{name}"
        return f"{name}.{attribute}"

    def _is_a(self, name: str, kind: str) -> bool:
        return bool(self._resources.get(name, {}).get("Type") == kind)
