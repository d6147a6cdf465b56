"""Why a deployment failed, as the line that a command ends with: the cause, and what to do."""

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from ops.failures.events import (
    VALIDATION_MARK,
    FailedResource,
    Operation,
    read_failed_change_set,
    read_last_operation,
    read_validation_failure,
)
from ops.failures.reasons import REPAIR, find_reason, format_advice, is_without_changes, unwrap_reason
from ops.failures.sam_output import did_execution_fail, find_error

_MIGRATION = "Custom::Migration"


@dataclass(frozen=True)
class FailedStack:
    """A stack whose deployment failed, and a CloudFormation client that reaches it.

    The commands that deploy the local stack repair its state themselves.
    """

    cloudformation: Any
    name: str
    region: str
    is_local: bool = False


def explain_deploy(stack: FailedStack, output: str) -> str:
    """The sentence for a failed `sam deploy`, from its output and the events of the stack."""
    error = find_error(output)
    try:
        if did_execution_fail(error) and (operation := read_last_operation(stack.cloudformation, stack.name)):
            return explain_operation(stack, operation)
        if VALIDATION_MARK in error and (failed := _read_invalid_resource(stack)):
            return _explain_resource(stack, failed)
    except (BotoCoreError, ClientError):
        pass  # the SAM CLI's own sentence is better than that of a second error
    return _explain(stack, f"{stack.name} was not deployed", error, "Correct it, and deploy again.")


def explain_build(output: str) -> str:
    """The sentence for a failed `sam build`."""
    nothing = FailedStack(None, "", "")
    return _explain(nothing, "`sam build` failed", find_error(output), "Correct it, and build again.")


def explain_last_failure(stack: FailedStack, operation: Operation | None) -> str | None:
    """The sentence for the last operation on the stack, or the change set after it; None when it did not fail."""
    failed_change_set = read_failed_change_set(stack.cloudformation, stack.name, operation)
    if failed_change_set and not is_without_changes(failed_change_set[1]):
        arn, reason = failed_change_set
        if invalid := read_validation_failure(stack.cloudformation, ChangeSetName=arn):
            return _explain_resource(stack, invalid)
        return _explain(stack, f"{stack.name} was not deployed", reason, "Correct it, and deploy again.")
    if operation is None or operation.cause is None:
        return None
    return explain_operation(stack, operation)


def explain_operation(stack: FailedStack, operation: Operation) -> str:
    """The sentence for an operation: its cause, what to do, and how to leave the state in which the stack is."""
    sentences = [
        _explain_resource(stack, operation.cause)
        if operation.cause
        else f"{stack.name} is in the state {operation.status}. {_show_events(stack)}",
        _describe_failed_rollback(operation),
        _leave_state(stack, operation.status),
    ]
    return " ".join(filter(None, sentences))


def _describe_failed_rollback(operation: Operation) -> str:
    failed = operation.rollback
    if failed is None:
        return ""
    if operation.cause and failed.reason == operation.cause.reason:
        return f"The rollback failed too: {failed.sentence_start} for the same reason."
    return f"The rollback failed too: {_end_sentence(f'{failed.sentence_start}: {unwrap_reason(failed.reason)}')}"


def _read_invalid_resource(stack: FailedStack) -> FailedResource | None:
    failed = read_failed_change_set(stack.cloudformation, stack.name, None)
    return read_validation_failure(stack.cloudformation, ChangeSetName=failed[0]) if failed else None


def _explain_resource(stack: FailedStack, failed: FailedResource) -> str:
    start = "The migration failed" if failed.resource_type == _MIGRATION else failed.sentence_start
    return _explain(stack, start, failed.reason, _show_events(stack))


def _explain(stack: FailedStack, start: str, reason: str, otherwise: str = "") -> str:
    """The sentence for a reason. `otherwise` is what to do where the reason is unknown."""
    if not reason:
        return f"{start}, and there is no reason; read the log, and try again."
    entry = find_reason(reason)
    advice = format_advice(entry, reason, stack=stack.name, region=stack.region) if entry else otherwise
    return f"{_end_sentence(f'{start}: {unwrap_reason(reason)}')} {advice}".rstrip()


def _end_sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _show_events(stack: FailedStack) -> str:
    if stack.is_local:
        return "`./sluice explain --events` shows what happened before."
    return (
        f"`./sluice explain --events --stack-name {stack.name} --region {stack.region}` shows what happened before; "
        "correct the cause, and deploy again."
    )


def _leave_state(stack: FailedStack, status: str) -> str:
    """How to leave a state in which the stack cannot be deployed; empty for the others."""
    command = f"--stack-name {stack.name} --region {stack.region}"
    match status:
        case "ROLLBACK_COMPLETE" if not stack.is_local:
            return f"Before that, delete the stack: `aws cloudformation delete-stack {command}`."
        case "UPDATE_ROLLBACK_FAILED":
            return (
                f"Before that, finish the rollback: `aws cloudformation continue-update-rollback {command}` ({REPAIR})."
            )
        case "ROLLBACK_FAILED" | "DELETE_FAILED":
            return f"Before that, delete the stack completely ({REPAIR})."
    return ""
