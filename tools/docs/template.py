"""The template as plain data: CloudFormation's short functions (`!Ref`, `!Sub`, …) become their names and arguments."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    pass


def _construct_function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return {name: loader.construct_scalar(node)}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    if isinstance(node, yaml.MappingNode):
        return {name: loader.construct_mapping(node, deep=True)}
    raise TypeError(f"{node} is neither scalar, sequence nor mapping")


_Loader.add_multi_constructor("!", _construct_function)


def load_template(path: Path) -> dict[str, Any]:
    """Read a template, with the resources of its loops (`Fn::ForEach`) written out."""
    loaded: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 -- a safe loader with more tags
    loaded["Resources"] = dict(_expand_loops(loaded["Resources"]))
    return loaded


def _expand_loops(resources: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, body in resources.items():
        if not name.startswith("Fn::ForEach::"):
            yield name, body
            continue
        variable, values, fragment = body
        for value in values:
            yield from _replace_variable(fragment, f"${{{variable}}}", value).items()


def _replace_variable(node: Any, old: str, new: str) -> Any:
    if isinstance(node, str):
        return node.replace(old, new)
    if isinstance(node, list):
        return [_replace_variable(item, old, new) for item in node]
    if isinstance(node, dict):
        return {_replace_variable(key, old, new): _replace_variable(value, old, new) for key, value in node.items()}
    return node
