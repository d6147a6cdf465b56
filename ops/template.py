"""The SAM template as CloudFormation would deploy it: with parameter values, conditions and loops resolved.

Commands that run before a deploy (`preflight`, `cost`) read from it what a deployment would create. It resolves `Ref`
to parameters and pseudo parameters, `Fn::If`, `Fn::Sub`, conditions, `Fn::ForEach` over a list of names, and the files
that `AWS::Include` names. Everything else (`Fn::GetAtt` and so on) stays as it is.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from ops.aws import REPOSITORY
from ops.errors import UsageError

TEMPLATE_PATH = REPOSITORY / "template.yaml"
_NO_VALUE = object()
_LOOP = "Fn::ForEach::"


# Several times as fast in C, which PyYAML's wheels have and a build of its sources may lack.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]  # its base is decided at run time
    """A YAML loader that reads the short forms of CloudFormation's functions (`!Ref X`) as their long forms."""


def _construct_function(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in {"Ref", "Condition"} else f"Fn::{suffix}"
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if name == "Fn::GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # the third and last kind of node
    return {name: value}


_Loader.add_multi_constructor("!", _construct_function)


def read_template(path: Path = TEMPLATE_PATH) -> dict[str, Any]:
    """Read a template, with the resources of its loops written out and its files included.

    A build writes these files: before the first build they are missing, and what they contain is left out. Raises
    UsageError when a file cannot be read.
    """
    try:
        template: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 - it derives from SafeLoader
    except (OSError, yaml.YAMLError) as error:
        raise UsageError(f"{path.name} cannot be read: {error}.", "Run the command in a checkout of Sluice.") from None
    included = _include_files(template["Resources"], path.parent)
    resources = dict(_expand_loops(included))
    # A resource that a missing file has as a whole has no type yet.
    template["Resources"] = {name: resource for name, resource in resources.items() if "Type" in resource}
    return template


@dataclass(frozen=True)
class ResolvedTemplate:
    """A template with the values of its parameters. `region` and `stack_name` are those of the deployment."""

    template: dict[str, Any]
    values: Mapping[str, str]
    stack_name: str
    region: str

    def require_declared_parameters(self) -> None:
        """Raise UsageError for a value of a parameter that the template lacks."""
        for name in self.values:
            if name not in self.template["Parameters"]:
                raise UsageError(f"The template has no parameter {name}.", "docs/reference/parameters.md lists them.")

    @cached_property
    def parameters(self) -> dict[str, str]:
        """Every parameter with its value. Raises UsageError for a value of a parameter that the template lacks."""
        self.require_declared_parameters()
        declared = self.template["Parameters"]
        defaults = {name: str(entry["Default"]) for name, entry in declared.items() if "Default" in entry}
        return {**defaults, **self.values}

    @cached_property
    def resources(self) -> dict[str, dict[str, Any]]:
        """The resources that a deployment creates, by logical id."""
        return {
            name: self.resolve(resource)
            for name, resource in self.template["Resources"].items()
            if "Condition" not in resource or self.holds(resource["Condition"])
        }

    def list_resources(self, *types: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of these types, by logical id."""
        return {
            name: resource.get("Properties", {})
            for name, resource in self.resources.items()
            if resource["Type"] in types
        }

    def number(self, parameter: str) -> float:
        """The value of a number parameter. Raises UsageError when the value is no number."""
        try:
            return float(self.parameters[parameter])
        except ValueError:
            raise UsageError(f"{parameter} is {self.parameters[parameter]}, which is not a number.") from None

    def holds(self, condition: str) -> bool:
        """Whether a condition of the template is true."""
        return bool(self._evaluate(self.template["Conditions"][condition]))

    def resolve(self, node: Any) -> Any:
        """Resolve the functions in a part of the template."""
        if isinstance(node, list):
            return [item for item in map(self.resolve, node) if item is not _NO_VALUE]
        if not isinstance(node, dict):
            return node
        if len(node) == 1:
            ((key, value),) = node.items()
            match key:
                case "Ref":
                    return self._resolve_reference(self.resolve(value))  # a loop can make the name with Fn::Sub
                case "Fn::If":
                    condition, then, otherwise = value
                    return self.resolve(then if self.holds(condition) else otherwise)
                case "Fn::Sub" if isinstance(value, str):
                    return re.sub(r"\$\{([A-Za-z0-9:]+)\}", self._substitute, value)
        resolved = {key: self.resolve(value) for key, value in node.items()}
        return {key: value for key, value in resolved.items() if value is not _NO_VALUE}

    def _substitute(self, match: re.Match[str]) -> str:
        value = self._resolve_reference(match[1])
        return value if isinstance(value, str) else match[0]

    def _resolve_reference(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _NO_VALUE
        pseudo = {"AWS::Region": self.region, "AWS::StackName": self.stack_name, "AWS::Partition": "aws"}
        return {**pseudo, **self.parameters}.get(name, {"Ref": name})

    def _evaluate(self, condition: Any) -> bool:
        ((function, value),) = condition.items()
        match function:
            case "Condition":
                return self.holds(value)
            case "Fn::Equals":
                first, second = (str(self.resolve(item)) for item in value)
                return first == second
            case "Fn::Not":
                return not self._evaluate(value[0])
            case "Fn::And":
                return all(map(self._evaluate, value))
            case "Fn::Or":
                return any(map(self._evaluate, value))
        raise UsageError(f"The template has a condition with {function}, which this command cannot evaluate.")


def _include_files(node: Any, folder: Path) -> Any:
    """The node with each AWS::Include replaced by the keys of its file, as CloudFormation does before anything else."""
    if isinstance(node, list):
        return [_include_files(entry, folder) for entry in node]
    if not isinstance(node, dict):
        return node
    included: dict[str, Any] = {}
    match node.get("Fn::Transform"):
        case {"Name": "AWS::Include", "Parameters": {"Location": str(location)}}:
            node = {key: value for key, value in node.items() if key != "Fn::Transform"}
            included = _read_json(folder / location)
    return {key: _include_files(value, folder) for key, value in node.items()} | included


def _read_json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise UsageError(f"{path.name} cannot be read: {error}.", "Write it again with `make build`.") from None
    return content


def _expand_loops(resources: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, resource in resources.items():
        if not name.startswith(_LOOP):
            yield name, resource
            continue
        variable, collection, body = resource
        for item in collection:
            yield from _replace_variable(body, variable, item).items()


def _replace_variable(node: Any, variable: str, item: str) -> Any:
    if isinstance(node, str):
        return node.replace(f"${{{variable}}}", item)
    if isinstance(node, list):
        return [_replace_variable(entry, variable, item) for entry in node]
    if isinstance(node, dict):
        if node in ({"Ref": variable}, {"Fn::Sub": f"${{{variable}}}"}):
            return item
        return {
            node_key.replace(f"${{{variable}}}", item): _replace_variable(value, variable, item)
            for node_key, value in node.items()
        }
    return node
