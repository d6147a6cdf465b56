"""The template as CloudFormation gets it: SAM's resources translated. The workflows' definitions stand in it."""

import functools
import json
import logging
import os
from pathlib import Path
from typing import Any

import yaml
from ministack.services.cloudformation import language_extensions
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import intrinsics_multi_constructor

from sluice.model.canary_item import load_served_resources
from tools.api_definition.__main__ import API_DEFINITION, API_DIGESTS, render_api_definition, render_api_digests

REPOSITORY = Path(__file__).parents[1]
TEMPLATE = REPOSITORY / "template.yaml"
EDGE_TEMPLATE = REPOSITORY / "edge.yaml"

Template = dict[str, Any]

# It logs features that only the translator of AWS supports.
logging.getLogger("samtranslator").setLevel(logging.ERROR)

# Which property of a SAM resource names a folder or file that a deploy would upload.
_LOCAL = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}
# As long as the place that the SAM CLI chooses.
_UPLOADED = f"s3://aws-sam-cli-managed-default-samclisourcebucket-{'0' * 12}/sluice/{'0' * 32}"

# What `sam build` would write into each file that the template includes.
_INCLUDED = {API_DEFINITION.name: render_api_definition, API_DIGESTS.name: render_api_digests}


class NotTranslatable(Exception):  # noqa: N818
    """The SAM translator refuses the template; the message says why."""


# Several times as fast in C, which PyYAML's wheels have and a build of its sources may lack.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SafeLoader):  # type: ignore[misc]  # its base is decided at run time
    """Reads the short forms of CloudFormation's functions as the translator does."""


_Loader.add_multi_constructor("!", intrinsics_multi_constructor)


class _NoManagedPolicies:
    """Every policy stands in the template, so there is no list of managed ones to fetch from an account."""

    def load(self) -> dict[str, str]:
        return {}


def read_with_includes(path: Path) -> Template:
    """Read a SAM template: short forms such as !Ref in full, and included files in place.

    CloudFormation includes them before any other transform.
    """
    template: Template = _include_files(_parse(path.read_text()))
    return template


@functools.cache
def _parse(text: str) -> Template:
    """Parse a template. Whoever gets it must not change it: dozens of tests read the same one."""
    template: Template = json.loads(json.dumps(yaml.load(text, _Loader)))
    return template


def read(path: Path) -> Template:
    """Read a SAM template with its included files, and what Fn::ForEach repeats written out."""
    template = read_with_includes(path)
    # Without the mappings, the expansion leaves Fn::FindInMap to CloudFormation, as it is written.
    resources = language_extensions.apply({**template, "Mappings": {}}, {})["Resources"]
    return {**template, "Resources": _without_constant_subs(resources)}


def _include_files(node: Any) -> Any:
    """The node with each AWS::Include replaced by the keys of the file, as `sam build` would write it."""
    if isinstance(node, list):
        return [_include_files(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    included: Template = {}
    match node.get("Fn::Transform"):
        case {"Name": "AWS::Include", "Parameters": {"Location": str(location)}}:
            node = {key: value for key, value in node.items() if key != "Fn::Transform"}
            included = json.loads(_INCLUDED[location](load_served_resources().values()))
    return {key: _include_files(value) for key, value in node.items()} | included


def _without_constant_subs(node: Any) -> Any:
    """The node with each Fn::Sub whose text has no variable left replaced by that text, as cfn-lint wants it."""
    if isinstance(node, list):
        return [_without_constant_subs(entry) for entry in node]
    if not isinstance(node, dict):
        return node
    match node:
        case {"Fn::Sub": str(text)} if "${" not in text:
            return text
    return {key: _without_constant_subs(value) for key, value in node.items()}


def translate(template: Template, folder: Path, *, with_definitions: bool = True) -> Template:
    """Translate a SAM template whose paths are relative to `folder`. Raises NotTranslatable.

    Without the definitions, the template names the objects in S3 to which the SAM CLI uploads them.
    """
    template = json.loads(json.dumps(template))
    definitions: dict[str, Any] = {}
    template.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for name, resource in template["Resources"].items():
        if (uri := _LOCAL.get(resource["Type"])) is None:
            continue
        if with_definitions and uri == "DefinitionUri":
            definition = (folder / resource["Properties"][uri]).read_text()
            # The other substitutions stand where any text may.
            definitions[name] = json.loads(definition.replace("${Partition}", "aws"))
        resource["Properties"][uri] = _UPLOADED
    # The translator asks for a region; the template is the same in each.
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    defaults = {name: parameter.get("Default", "") for name, parameter in template["Parameters"].items()}
    try:
        translated: Template = transform(template, defaults, _NoManagedPolicies())
    except InvalidDocumentException as refusal:
        raise NotTranslatable("; ".join(cause.message for cause in refusal.causes)) from refusal
    for name, definition in definitions.items():
        properties = translated["Resources"][name]["Properties"]
        del properties["DefinitionS3Location"]
        properties["Definition"] = definition
    return translated


def lines(path: Path) -> list[tuple[yaml.Node, yaml.Node]]:
    """Every key and value of a YAML file as nodes, which know their lines."""
    pairs: list[tuple[yaml.Node, yaml.Node]] = []
    waiting = [yaml.compose(path.read_text(), Loader=_SafeLoader)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            pairs += node.value
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return pairs
