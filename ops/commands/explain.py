"""`sluice explain`: say why the last deployment of a stack failed, and what to do."""

import argparse

from botocore.exceptions import ClientError

from ops.aws import Stack, choose_target
from ops.errors import EXIT_DONE, EXIT_INCOMPLETE, UsageError
from ops.failures.events import Operation, read_last_operation
from ops.failures.explanation import FailedStack, explain_last_failure
from ops.output import CommandResult
from ops.samconfig import choose_deployment_target, read_deployment

SUMMARY = "say why the last deployment failed, and what to do"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the command."""
    parser.add_argument(
        "--config-env", metavar="NAME", help="take the stack and the Region from this environment of samconfig.toml"
    )
    parser.add_argument("--events", action="store_true", help="list the events of the operation first")


def choose_stack(arguments: argparse.Namespace) -> Stack:
    """The stack that the common arguments name, or the environment of samconfig.toml. Raises UsageError."""
    if arguments.config_env is None:
        return Stack(choose_target(arguments.stack_name, arguments.region, arguments.profile))
    arguments.parameters = []
    return Stack(choose_deployment_target(read_deployment(arguments), arguments.profile))


def run(stack: Stack, arguments: argparse.Namespace) -> CommandResult:
    """Read the events of the last operation. The exit code is 1 when it failed. Raises UsageError."""
    failed = FailedStack(stack.client("cloudformation"), stack.name, stack.region, is_local=stack.is_local)
    try:
        operation = read_last_operation(failed.cloudformation, stack.name)
        failure = explain_last_failure(failed, operation)
    except ClientError as error:
        if error.response["Error"]["Code"] != "ValidationError":
            raise
        raise UsageError(
            f"There is no stack {stack.name} in {stack.region}: no deployment began, or the stack was deleted.",
            "Check --stack-name and --region; the last line of `sam deploy` says why it did not begin.",
        ) from None
    document = {
        "stack": stack.name,
        "region": stack.region,
        "status": operation.status if operation else None,
        "failure": failure,
    }
    lines = format_events(operation) if arguments.events and operation else []
    lines.append(failure or _describe_state(stack, operation))
    return CommandResult(document, lines, EXIT_INCOMPLETE if failure else EXIT_DONE)


def format_events(operation: Operation) -> list[str]:
    """A line for each event of the operation, the first one first."""
    return [
        f"{event['Timestamp']:%H:%M:%S}  {event['ResourceStatus']}  {event['LogicalResourceId']}"
        f"  {event.get('ResourceStatusReason', '')}".rstrip()
        for event in operation.events
    ]


def _describe_state(stack: Stack, operation: Operation | None) -> str:
    if operation is None:
        return f"{stack.name} in {stack.region} has no events."
    verb = "runs" if operation.status.endswith("IN_PROGRESS") else "did not fail"
    return f"The operation on {stack.name} that began at {operation.time} {verb}: {operation.status}."
