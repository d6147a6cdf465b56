"""One request id leads through the logs: the access log, the function's and the load's, and the records."""

import json
from typing import Any

import httpx
import pytest

from local.stack import Stack
from local.stack.services import STACK_NAME
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")

# What a client says of itself. The edge adds to the first and replaces the second.
FORGED = {"X-Forwarded-For": "10.0.0.1, 203.0.113.17", "X-Amz-Cf-Id": "forged"}


def _find_lines(stack: Stack, group: str, request_id: str) -> list[dict[str, Any]]:
    events = stack.aws_client("logs").filter_log_events(logGroupName=group, filterPattern=f'"{request_id}"')["events"]
    return [json.loads(event["message"]) for event in events]


def _wait_for_lines(stack: Stack, group: str, request_id: str) -> list[dict[str, Any]]:
    return eventually(lambda: _find_lines(stack, group.format(stack=STACK_NAME), request_id))


@pytest.mark.parametrize("many", [False, True])
def test_a_write_can_be_followed_from_its_response_to_its_load(stack: Stack, machine: httpx.Client, many: bool) -> None:
    items = [airport("RQ01"), airport("RQ02")]
    if many:
        content = "\n".join(map(json.dumps, items))
        sent: dict[str, Any] = {"content": content, "headers": {"Content-Type": "application/x-ndjson"}}
    else:
        sent = {"json": items[0], "headers": {}}
    response = machine.post("/v1/airports", **sent | {"headers": sent["headers"] | FORGED})
    assert response.status_code == 202
    request_id = response.headers["x-amzn-requestid"]
    [access] = _wait_for_lines(stack, "/aws/apigateway/{stack}", request_id)
    assert (access["requestId"], access["status"], access["method"]) == (request_id, "202", "POST")
    [line] = _wait_for_lines(stack, "/aws/lambda/{stack}-Post", request_id)
    assert (line["request_id"], line["client_address"]) == (request_id, "127.0.0.1")
    assert line["edge_request_id"] == response.headers["x-amz-cf-id"] != "forged"
    [loaded] = _wait_for_lines(stack, "/aws/lambda/{stack}-Load", request_id)
    assert request_id in loaded["request_ids"].split()


def test_a_request_that_no_function_sees_is_in_the_access_log(stack: Stack, client: Any) -> None:
    response = client().get("/v1/airports")
    assert response.status_code == 401
    [access] = _wait_for_lines(stack, "/aws/apigateway/{stack}", response.headers["x-amzn-requestid"])
    assert (access["status"], access["refusedBy"]) == ("401", "UNAUTHORIZED")
