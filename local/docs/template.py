"""The template as plain data: CloudFormation's short functions (`!Ref`, `!Sub`, …) become their names and arguments."""

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
    """Read a template."""
    loaded: dict[str, Any] = yaml.load(path.read_text(), _Loader)  # noqa: S506 -- a safe loader with more tags
    return loaded
