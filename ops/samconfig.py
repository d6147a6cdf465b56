"""The settings of a deployment in samconfig.toml: its stack's name, its Region and its parameters."""

import argparse
import shlex
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ops.aws import LOCAL_STACK, REPOSITORY, Target, choose_target
from ops.errors import UsageError

SAMCONFIG_PATH = REPOSITORY / "samconfig.toml"
DEFAULT_ENVIRONMENT = "default"


@dataclass(frozen=True)
class Deployment:
    """A deployment as `sam deploy --config-env` would make it. `region` is None where the file names none."""

    environment: str
    stack_name: str
    region: str | None
    parameters: dict[str, str]


def add_deployment_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that choose a deployment and change its parameters."""
    parser.add_argument(
        "--config-env", metavar="NAME", default=DEFAULT_ENVIRONMENT,
        help="environment of samconfig.toml (default: default)",
    )  # fmt: skip
    parser.add_argument(
        "--parameter", metavar="NAME=VALUE", action="append", default=[], dest="parameters",
        help="value of a template parameter instead of that of samconfig.toml (may be repeated)",
    )  # fmt: skip


def read_deployment(arguments: argparse.Namespace, path: Path = SAMCONFIG_PATH) -> Deployment:
    """The deployment that the arguments choose. Raises UsageError."""
    settings = _read_deploy_settings(arguments.config_env, path)
    return Deployment(
        arguments.config_env,
        arguments.stack_name or str(settings.get("stack_name", "")),
        arguments.region or settings.get("region"),
        {**_parse_overrides(settings), **parse_parameters(arguments.parameters)},
    )


def read_parameters(environment: str, path: Path = SAMCONFIG_PATH) -> dict[str, str]:
    """The template parameters of an environment. Raises UsageError."""
    return _parse_overrides(_read_deploy_settings(environment, path))


def _read_deploy_settings(environment: str, path: Path) -> dict[str, Any]:
    """What `sam deploy` reads; a setting of the command replaces the global one."""
    try:
        environments = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {error}.") from None
    if not isinstance(environments.get(environment), dict):
        names = ", ".join(name for name, entry in environments.items() if isinstance(entry, dict))
        raise UsageError(
            f"samconfig.toml has no environment {environment}.", f"Give --config-env with one of: {names}."
        )
    settings: dict[str, Any] = {}
    for command in ("global", "deploy"):
        settings |= environments[environment].get(command, {}).get("parameters", {})
    return settings


def _parse_overrides(settings: dict[str, Any]) -> dict[str, str]:
    overrides = settings.get("parameter_overrides", [])
    # The SAM CLI takes a list of words or one string of them.
    return parse_parameters(shlex.split(overrides) if isinstance(overrides, str) else overrides)


def choose_deployment_target(deployment: Deployment, profile: str | None) -> Target:
    """The stack that a deployment goes to; `sluice-local` is the local stack. Raises UsageError."""
    if not deployment.stack_name:
        raise UsageError(f"The environment {deployment.environment} names no stack.", "Give --stack-name NAME.")
    region = None if deployment.stack_name == LOCAL_STACK else deployment.region
    return choose_target(deployment.stack_name, region, profile)


def parse_parameters(words: Iterable[str]) -> dict[str, str]:
    """Parse `NAME=VALUE` words. Raises UsageError."""
    parameters = {}
    for word in words:
        name, equals, value = word.partition("=")
        if not (name and equals):
            raise UsageError(f"{word!r} is not NAME=VALUE.")
        parameters[name] = value
    return parameters
