"""What the template and samconfig.toml say about parameters."""

import platform
import shlex
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

from local.process import LocalError


class CloudFormationLoader(yaml.SafeLoader):
    """Reads CloudFormation's short forms (!Ref and its like) as plain values."""


def _plain(loader: yaml.SafeLoader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node)
    return loader.construct_scalar(node)  # type: ignore[arg-type]


CloudFormationLoader.add_multi_constructor("!", _plain)


def read_template_default(template: Path, parameter: str) -> str:
    """The default of a template parameter. Raises LocalError when the template has no such parameter."""
    parameters = yaml.load(template.read_text(), Loader=CloudFormationLoader)["Parameters"]  # noqa: S506 - a SafeLoader
    if parameter not in parameters:
        raise LocalError(f"{template.name} has no parameter {parameter}.")
    return str(parameters[parameter].get("Default", ""))


def read_configured_parameters(config: Path, environment: str) -> dict[str, str]:
    """The `parameter_overrides` of one environment of samconfig.toml, for its deploy."""
    if not config.exists():
        return {}
    sections = tomllib.loads(config.read_text()).get(environment, {})
    chosen: dict[str, str] = {}
    for command in ("global", "deploy"):
        given = sections.get(command, {}).get("parameters", {}).get("parameter_overrides", [])
        words = shlex.split(given) if isinstance(given, str) else given
        chosen |= dict(word.split("=", 1) for word in words)
    return chosen


def detect_runtime() -> str:
    """The Lambda runtime that is the Python running this."""
    return f"python{sys.version_info.major}.{sys.version_info.minor}"


def detect_architecture() -> str:
    """This machine's processor by Lambda's name."""
    return "arm64" if platform.machine() in {"aarch64", "arm64"} else "x86_64"


def format_overrides(parameters: dict[str, str]) -> list[str]:
    return [f"{name}={value}" for name, value in parameters.items()]
