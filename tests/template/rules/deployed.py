"""A template as deployed: conditions decided, resources that they leave out removed, references as text."""

import re
from typing import Any

from tests.template.rules.reading import Properties

REGION = "us-east-1"
_ACCOUNT = "111122223333"
_NO_VALUE = object()
_PSEUDO_PARAMETERS = {
    "AWS::AccountId": _ACCOUNT,
    "AWS::NoValue": _NO_VALUE,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{_ACCOUNT}:stack/sluice/00000000-0000-0000-0000-000000000000",
    "AWS::StackName": "sluice",
    "AWS::URLSuffix": "amazonaws.com",
}
# The ARNs by which policies name resources, and the references that give them besides `Arn`.
_ARNS = {
    "AWS::Events::Rule": "arn:aws:events:{region}:{account}:rule/{name}",
    "AWS::IAM::Role": "arn:aws:iam::{account}:role/{name}",
    "AWS::KMS::Key": "arn:aws:kms:{region}:{account}:key/{name}",
    "AWS::KinesisFirehose::DeliveryStream": "arn:aws:firehose:{region}:{account}:deliverystream/{name}",
    "AWS::Lambda::Function": "arn:aws:lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "arn:aws:logs:{region}:{account}:log-group:{name}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{name}",
    "AWS::SNS::Topic": "arn:aws:sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "arn:aws:sqs:{region}:{account}:{name}",
    "AWS::SecretsManager::Secret": "arn:aws:secretsmanager:{region}:{account}:secret:{name}",
    "AWS::StepFunctions::StateMachine": "arn:aws:states:{region}:{account}:stateMachine:{name}",
}
_REF_IS_ARN = {"AWS::SNS::Topic", "AWS::SecretsManager::Secret", "AWS::StepFunctions::StateMachine"}


class Deployed:
    """A template deployed with some parameters, and with the defaults of the others.

    A reference is the ARN where AWS gives one that policies use, else the name of the resource; any other attribute is
    `Name.Attribute`. So each way in which a policy can name a resource gives the same text.
    """

    def __init__(self, template: dict[str, Any], **parameters: str) -> None:
        defaults = {name: entry.get("Default", "") for name, entry in template.get("Parameters", {}).items()}
        self._parameters = {**defaults, **parameters}
        self._template = template
        self._conditions = template.get("Conditions", {})
        self._types = {name: resource["Type"] for name, resource in template["Resources"].items()}

    def decide_conditions(self) -> dict[str, Any]:
        """The template with its references, but without conditions. The parameters have their values as defaults."""
        parameters = {
            name: {**entry, "Default": self._parameters[name]}
            for name, entry in self._template.get("Parameters", {}).items()
        }
        resources = {
            name: {key: self._decide_choices(part) for key, part in resource.items() if key != "Condition"}
            for name, resource in self._template["Resources"].items()
            if "Condition" not in resource or self._decide(resource["Condition"])
        }
        template = {key: part for key, part in self._template.items() if key not in {"Conditions", "Rules", "Outputs"}}
        return {**template, "Parameters": parameters, "Resources": resources}

    def of_type(self, kind: str) -> dict[str, Properties]:
        """The properties of the deployed resources of that type, by name, without references."""
        return {
            name: self._resolve(resource.get("Properties", {}))
            for name, resource in self._template["Resources"].items()
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

    def _decide_choices(self, value: Any) -> Any:
        """The value without Fn::If; _NO_VALUE for AWS::NoValue."""
        match value:
            case {"Fn::If": [condition, yes, no]}:
                return self._decide_choices(yes if self._decide(condition) else no)
            case {"Ref": "AWS::NoValue"}:
                return _NO_VALUE
            case dict():
                pairs = [(key, self._decide_choices(part)) for key, part in value.items()]
                return {key: part for key, part in pairs if part is not _NO_VALUE}
            case list():
                return [part for part in map(self._decide_choices, value) if part is not _NO_VALUE]
        return value

    def _resolve(self, value: Any) -> Any:
        """The value without Fn::If and references. Other functions stay, with their arguments resolved."""
        return self._resolve_references(self._decide_choices(value))

    def _resolve_references(self, value: Any) -> Any:
        match value:
            case {"Ref": str(name)}:
                return self._refer(name)
            case {"Fn::GetAtt": [str(name), str(attribute)]}:
                return self._get_attribute(name, attribute)
            case {"Fn::Sub": str(text)}:
                return re.sub(r"\$\{([^}]+)\}", self._replace, text)
            case dict():
                return {key: self._resolve_references(part) for key, part in value.items()}
            case list():
                return [self._resolve_references(part) for part in value]
        return value

    def _replace(self, placeholder: re.Match[str]) -> str:
        name, _, attribute = placeholder[1].partition(".")
        return self._get_attribute(name, attribute) if attribute else str(self._refer(name))

    def _refer(self, name: str) -> Any:
        if name in _PSEUDO_PARAMETERS:
            return _PSEUDO_PARAMETERS[name]
        if name in self._parameters:
            return self._parameters[name]
        return self._get_attribute(name, "Arn") if self._types.get(name) in _REF_IS_ARN else name

    def _get_attribute(self, name: str, attribute: str) -> str:
        kind = self._types.get(name, "")
        if attribute == "Name":
            return name
        if kind in _ARNS and (attribute == "Arn" or (attribute == "Id" and kind in _REF_IS_ARN)):
            return _ARNS[kind].format(region=REGION, account=_ACCOUNT, name=name)
        return f"{name}.{attribute}"
