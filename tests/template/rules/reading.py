"""Read a translated template."""

from collections.abc import Iterator
from typing import Any, TypeGuard

from tests.template.rules.rule import Template

Properties = dict[str, Any]


def of_type(cfn: Template, kind: str) -> Iterator[tuple[str, Properties]]:
    """Name and properties of each resource of that type."""
    for name, resource in cfn.get_resources(kind).items():
        yield name, resource.get("Properties", {})


def branches(value: Any) -> Iterator[Any]:
    """The possible values: both sides of an Fn::If, else the value itself; AWS::NoValue is skipped."""
    if isinstance(value, dict) and "Fn::If" in value:
        for side in value["Fn::If"][1:]:
            yield from branches(side)
    elif value != {"Ref": "AWS::NoValue"}:
        yield value


def entries(listed: list[Any]) -> list[Any]:
    """The possible entries of a list, with both sides of each Fn::If."""
    return [branch for entry in listed for branch in branches(entry)]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(document: Any) -> list[Properties]:
    """The statements of a policy document."""
    return as_list(document["Statement"])


def names(value: Any, wanted: str) -> bool:
    """Whether a Ref, a Fn::GetAtt or a Fn::Sub inside the value names the resource."""
    if isinstance(value, dict):
        if value.get("Ref") == wanted:
            return True
        if "Fn::GetAtt" in value:
            attribute = value["Fn::GetAtt"]
            return (attribute.split(".") if isinstance(attribute, str) else attribute)[0] == wanted
        if is_text(value.get("Fn::Sub")):
            return f"${{{wanted}}}" in value["Fn::Sub"] or f"${{{wanted}." in value["Fn::Sub"]
        return any(names(part, wanted) for part in value.values())
    return isinstance(value, list) and any(names(part, wanted) for part in value)


def is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str)


def role_statements(cfn: Template, function: Properties) -> list[Properties]:
    """The statements of the inline policies of a function's role."""
    role = next((name for name, _ in of_type(cfn, "AWS::IAM::Role") if names(function.get("Role"), name)), None)
    policies = cfn.get_resources("AWS::IAM::Role")[role]["Properties"].get("Policies", []) if role else []
    return [statement for policy in policies for statement in statements(policy["PolicyDocument"])]


def actions(listed: list[Properties]) -> set[str]:
    """The actions of policy statements."""
    return {action for statement in listed for action in as_list(statement["Action"])}
