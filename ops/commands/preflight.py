"""`sluice preflight`: check before a deploy what would make it fail."""

import argparse
from collections.abc import Callable

from botocore.exceptions import ClientError

from ops.aws import Stack
from ops.aws_errors import is_access_denied
from ops.checks import CheckResult, build_checks_result
from ops.output import CommandResult
from ops.preflight import account, machine, resources
from ops.preflight.plan import DeploymentPlan
from ops.samconfig import add_deployment_arguments, choose_deployment_target, read_deployment

SUMMARY = "check before a deploy what would make it fail"

CHECKS: dict[str, Callable[[DeploymentPlan], CheckResult]] = {
    "python": machine.check_python,
    "make": machine.check_make,
    "sam": machine.check_sam,
    "credentials": account.check_credentials,
    "region": account.check_region,
    "stack": resources.check_stack,
    "names": resources.check_names,
    "concurrency": account.check_concurrency,
    "firehose": account.check_firehose,
    "api throttle": account.check_api_throttle,
    "api log role": account.check_api_log_role,
    "database": resources.check_database,
    "network": resources.check_network,
    "alerts": resources.check_alerts,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    add_deployment_arguments(parser)


def choose_stack(arguments: argparse.Namespace) -> Stack:
    """The stack that the environment of samconfig.toml names; `local` is the local stack. Raises UsageError."""
    arguments.deployment = read_deployment(arguments)
    return Stack(choose_deployment_target(arguments.deployment, arguments.profile))


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Run every check. The exit code is 1 when one of them failed."""
    plan = DeploymentPlan(arguments.deployment, stack)
    plan.template.require_declared_parameters()
    return build_checks_result([run_check(name, check, plan) for name, check in CHECKS.items()])


def run_check(name: str, check: Callable[[DeploymentPlan], CheckResult], plan: DeploymentPlan) -> CheckResult:
    """Run a check. One that these credentials may not make is a warning, not the end of the others."""
    try:
        return check(plan)
    except ClientError as error:
        if not is_access_denied(error):
            raise
        message = f"Not checked: these credentials have no permission for {error.operation_name}."
        return CheckResult(name, "warning", message)
