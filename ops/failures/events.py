"""The failure that ended an operation of CloudFormation, from the events of the stack.

The first failure in time is the cause: what fails after it is a consequence. CloudFormation cancels what it creates at
the same moment, and then rolls back.
https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/determine-root-cause-for-stack-failures.html
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from botocore.exceptions import ClientError

_STACK = "AWS::CloudFormation::Stack"
_STARTS = frozenset({
    "CREATE_IN_PROGRESS", "UPDATE_IN_PROGRESS", "DELETE_IN_PROGRESS", "IMPORT_IN_PROGRESS", "REVIEW_IN_PROGRESS",
})  # fmt: skip
# A rollback is part of the operation that failed, unless somebody asked for it.
_ROLLBACKS = frozenset({"ROLLBACK_IN_PROGRESS", "UPDATE_ROLLBACK_IN_PROGRESS"})
_REQUESTED = "User Initiated"
_FAILURES = {
    "CREATE_FAILED": "created",
    "UPDATE_FAILED": "updated",
    "DELETE_FAILED": "deleted",
    "IMPORT_FAILED": "imported",
}
# CloudFormation gives the details of a failed validation to DescribeEvents only.
VALIDATION_MARK = "DescribeEvents"
_MOST_EVENTS = 5_000


@dataclass(frozen=True)
class FailedResource:
    """A resource that failed: what could not be done (`created`), and CloudFormation's reason.

    The stack itself has no resource type.
    """

    logical_id: str
    resource_type: str
    action: str
    reason: str

    @property
    def sentence_start(self) -> str:
        """The sentence without its reason: `Topic (AWS::SNS::Topic) could not be created`."""
        if not self.resource_type:
            return f"The stack {self.logical_id} could not be {self.action}"
        return f"{self.logical_id} ({self.resource_type}) could not be {self.action}"


@dataclass(frozen=True)
class Operation:
    """The last operation on a stack, with its events, the first one first.

    `cause` is what failed first; `rollback` is what failed first in the rollback that followed.
    """

    events: tuple[dict[str, Any], ...]
    cause: FailedResource | None = None
    rollback: FailedResource | None = None

    @property
    def status(self) -> str:
        """The state of the stack after the last event, such as ROLLBACK_COMPLETE."""
        return next((str(event["ResourceStatus"]) for event in reversed(self.events) if _is_of_stack(event)), "")

    @property
    def time(self) -> str:
        """When it began."""
        return _format_time(self.events[0]["Timestamp"])


def read_last_operation(cloudformation: Any, stack_name: str) -> Operation | None:
    """The last operation on a stack; None without an event. Raises ClientError when there is no such stack."""
    events = _read_events_of_last_operation(cloudformation, stack_name)
    if not events:
        return None
    split = next((index for index, event in enumerate(events) if _is_rollback(event)), len(events))
    return Operation(
        tuple(events),
        _find_first_failure(cloudformation, events[:split]) or _find_failure_of_stack(cloudformation, events),
        _find_first_failure(cloudformation, events[split:]),
    )


def _read_events_of_last_operation(cloudformation: Any, stack_name: str) -> list[dict[str, Any]]:
    """The events, the first one first."""
    return list(_take_operation(_iterate_newest_events(cloudformation, stack_name)))[::-1]


def _iterate_newest_events(cloudformation: Any, stack: str) -> Iterator[dict[str, Any]]:
    """The events of a stack, by its name or id, the newest first."""
    pages = cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack)
    return islice((event for page in pages for event in page["StackEvents"]), _MOST_EVENTS)


def _take_operation(newest_first: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for event in newest_first:
        yield event
        status, reason = event["ResourceStatus"], event.get("ResourceStatusReason", "")
        if _is_of_stack(event) and (status in _STARTS or (status in _ROLLBACKS and reason == _REQUESTED)):
            return


def _is_of_stack(event: dict[str, Any]) -> bool:
    return bool(event["ResourceType"] == _STACK and event.get("PhysicalResourceId") == event["StackId"])


def _is_rollback(event: dict[str, Any]) -> bool:
    return _is_of_stack(event) and event["ResourceStatus"] in _ROLLBACKS


def _find_first_failure(cloudformation: Any, events: Iterable[dict[str, Any]]) -> FailedResource | None:
    for event in events:
        reason = str(event.get("ResourceStatusReason", ""))
        if event["ResourceStatus"] not in _FAILURES or _is_of_stack(event) or _is_cancelled(reason):
            continue
        failed = FailedResource(
            event["LogicalResourceId"], event["ResourceType"], _FAILURES[event["ResourceStatus"]], reason
        )
        return _find_nested_failure(cloudformation, event) or failed
    return None


def _is_cancelled(reason: str) -> bool:
    """Whether CloudFormation gave up a resource because another one had failed."""
    return reason.startswith("Resource ") and reason.rstrip(".").endswith("cancelled")


def _find_nested_failure(cloudformation: Any, event: dict[str, Any]) -> FailedResource | None:
    """The cause within a nested stack. Its id also names a stack that the rollback has deleted."""
    nested = event.get("PhysicalResourceId", "")
    if event["ResourceType"] != _STACK or not nested.startswith("arn:"):
        return None
    try:
        # All events: the last operation of the nested stack is its deletion.
        events = list(_iterate_newest_events(cloudformation, nested))[::-1]
    except ClientError:
        return None
    return _find_first_failure(cloudformation, events)


def _find_failure_of_stack(cloudformation: Any, events: Iterable[dict[str, Any]]) -> FailedResource | None:
    """The failure of the stack itself, which no resource caused: a validation, or a template that cannot be sorted."""
    for event in events:
        if event["ResourceStatus"] in _FAILURES and _is_of_stack(event):
            reason = str(event.get("ResourceStatusReason", ""))
            failed = FailedResource(event["LogicalResourceId"], "", _FAILURES[event["ResourceStatus"]], reason)
            if VALIDATION_MARK not in reason:
                return failed
            return read_validation_failure(cloudformation, StackName=event["StackId"]) or failed
    return None


def read_validation_failure(cloudformation: Any, **selection: str) -> FailedResource | None:
    """The first failed validation of a stack or of a change set; None without one, or without the permission.

    `selection` is StackName, or the ARN of a change set as ChangeSetName.
    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/validate-stack-deployments.html
    """
    try:
        response = cloudformation.describe_events(**selection, Filters={"FailedEvents": True})
    except ClientError:
        return None
    for event in response["OperationEvents"]:
        if event.get("ValidationStatus") == "FAILED":
            path = event.get("ValidationPath", "")
            reason = event.get("ValidationStatusReason", event.get("ValidationName", "")).rstrip(".")
            return FailedResource(
                event.get("LogicalResourceId", "?"),
                event.get("ResourceType", "?"),
                "deployed",
                f"{reason} (at {path})" if path else reason,
            )
    return None


def _format_time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def read_failed_change_set(cloudformation: Any, stack_name: str, operation: Operation | None) -> tuple[str, str] | None:
    """The ARN and the reason of the newest change set, if it failed after the last operation; else None."""
    pages = cloudformation.get_paginator("list_change_sets").paginate(StackName=stack_name)
    change_sets = [change_set for page in pages for change_set in page["Summaries"]]
    newest = max(change_sets, key=lambda change_set: change_set["CreationTime"], default=None)
    if newest is None or newest["Status"] != "FAILED":
        return None
    if operation and newest["CreationTime"] < operation.events[-1]["Timestamp"]:
        return None
    return newest["ChangeSetId"], str(newest.get("StatusReason", ""))
