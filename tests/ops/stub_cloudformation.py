"""A CloudFormation client with recorded events, in the form of DescribeStackEvents."""

import datetime
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import ClientError

STACK_ID = "arn:aws:cloudformation:eu-west-1:123456789012:stack/orders/0b9d"
_START = datetime.datetime(2026, 11, 29, 12, tzinfo=datetime.UTC)
Event = tuple[str, str, str, str]
"""The logical id (`orders` is the stack itself), the resource type, the status and its reason."""


class StubCloudFormation:
    """Answers with the events of each stack, by its id, and with change sets. There is a page for each two events."""

    def __init__(self, *events: Event, change_sets: tuple[tuple[str, str], ...] = ()) -> None:
        self.events = {STACK_ID: list(events)}
        self.change_sets = change_sets
        self.nested_ids: dict[str, str] = {}
        self.validations: list[dict[str, Any]] = []

    def get_paginator(self, operation: str) -> "StubPaginator":
        return StubPaginator(self, operation)

    def describe_events(self, **_arguments: Any) -> dict[str, Any]:
        return {"OperationEvents": self.validations}

    def list_events(self, stack_name: str) -> list[dict[str, Any]]:
        stack_id = STACK_ID if stack_name == "orders" else stack_name
        if stack_id not in self.events:
            error = {"Code": "ValidationError", "Message": f"Stack [{stack_name}] does not exist"}
            raise ClientError({"Error": error}, "DescribeStackEvents")  # type: ignore[typeddict-item]
        events = [
            {
                "StackId": stack_id,
                "LogicalResourceId": name,
                "PhysicalResourceId": stack_id if name == "orders" else self.nested_ids.get(name, name.lower()),
                "ResourceType": kind,
                "ResourceStatus": status,
                "Timestamp": _START + datetime.timedelta(seconds=second),
                **({"ResourceStatusReason": reason} if reason else {}),
            }
            for second, (name, kind, status, reason) in enumerate(self.events[stack_id])
        ]
        return events[::-1]


class StubPaginator:
    def __init__(self, client: StubCloudFormation, operation: str) -> None:
        self._client, self._operation = client, operation

    def paginate(self, **arguments: Any) -> Iterator[dict[str, Any]]:
        if self._operation == "list_change_sets":
            yield {
                "Summaries": [
                    {"ChangeSetId": f"arn:{number}", "Status": status, "StatusReason": reason, "CreationTime": time}
                    for number, (status, reason) in enumerate(self._client.change_sets)
                    for time in [_START + datetime.timedelta(minutes=number)]
                ]
            }
            return
        events = self._client.list_events(arguments["StackName"])
        for first in range(0, len(events), 2):
            yield {"StackEvents": events[first : first + 2]}
