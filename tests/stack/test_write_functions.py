"""The settings and permissions of a write function, and its response when a put fails or is denied."""

import json
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.stack.faults import firehose_fault
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("second")

WRITERS = ["Post", "Put", "Delete"]


def list_allowed_actions(stack: Stack, function: str) -> dict[str, set[str]]:
    """The actions that the role of a function allows, by resource."""
    iam = stack.aws_client("iam")
    configuration = stack.aws_client("lambda").get_function_configuration(
        FunctionName=stack.outputs[f"{function}FunctionName"]
    )
    role = configuration["Role"].rsplit("/", 1)[-1]
    documents = [
        iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        for name in iam.list_role_policies(RoleName=role)["PolicyNames"]
    ]
    allowed: dict[str, set[str]] = {}
    for statement in (statement for document in documents for statement in document["Statement"]):
        actions, resources = ([x] if isinstance(x, str) else x for x in (statement["Action"], statement["Resource"]))
        for resource in resources:
            allowed.setdefault(str(resource), set()).update(actions)
    return allowed


@pytest.mark.parametrize("function", WRITERS)
def test_a_write_function_has_no_database_settings(stack: Stack, function: str) -> None:
    name = stack.outputs[f"{function}FunctionName"]
    configuration = stack.aws_client("lambda").get_function_configuration(FunctionName=name)
    assert not [key for key in configuration["Environment"]["Variables"] if "DATABASE" in key or "SECRET" in key]


@pytest.mark.parametrize("function", WRITERS)
def test_its_role_allows_only_puts_on_the_stream(stack: Stack, function: str) -> None:
    service = {"logs", "xray"}
    beyond = {
        resource: {action for action in actions if action.split(":")[0] not in service}
        for resource, actions in list_allowed_actions(stack, function).items()
    }
    beyond = {resource: actions for resource, actions in beyond.items() if actions}
    assert [resource.rsplit("/", 1)[-1] for resource in beyond] == [stack.outputs["StreamName"]]
    assert set.union(*beyond.values()) <= {"firehose:PutRecord", "firehose:PutRecordBatch"}


def test_a_put_that_firehose_rejects_is_503_and_never_202(stack: Stack, machine: httpx.Client) -> None:
    with firehose_fault(stack, {"fail_puts": -1}):
        for _ in range(3):
            answer = machine.put("/v1/airports/TFHF", json=airport("TFHF"))
            assert answer.status_code == 503
            assert answer.headers["Content-Type"] == "application/problem+json"
            assert int(answer.headers["Retry-After"]) > 0
    assert machine.put("/v1/airports/TFHF", json=airport("TFHF")).status_code == 202


def test_a_put_that_fails_briefly_is_retried(stack: Stack, machine: httpx.Client) -> None:
    with firehose_fault(stack, {"fail_puts": 1}):
        assert machine.put("/v1/airports/TFHR", json=airport("TFHR")).status_code == 202


def test_a_write_without_permission_is_503_and_the_log_has_the_reason(stack: Stack, machine: httpx.Client) -> None:
    iam = stack.aws_client("iam")
    name = stack.outputs["PutFunctionName"]
    role = stack.aws_client("lambda").get_function_configuration(FunctionName=name)["Role"].rsplit("/", 1)[-1]
    policies = {
        policy: iam.get_role_policy(RoleName=role, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=role)["PolicyNames"]
    }
    for policy in policies:
        iam.delete_role_policy(RoleName=role, PolicyName=policy)
    try:
        answer = eventually(lambda: _find_rejection(machine))
        assert answer.headers["Content-Type"] == "application/problem+json"
        eventually(
            lambda: [line for line in _read_log(stack, name) if line.get("stream_error", "").startswith("AccessDenied")]
        )
    finally:
        for policy, document in policies.items():
            iam.put_role_policy(RoleName=role, PolicyName=policy, PolicyDocument=json.dumps(document))
    assert machine.put("/v1/airports/TIAM", json=airport("TIAM")).status_code == 202


def _find_rejection(machine: httpx.Client) -> httpx.Response | None:
    answer = machine.put("/v1/airports/TIAM", json=airport("TIAM"))
    assert answer.status_code in (202, 503)
    return answer if answer.status_code == 503 else None


def _read_log(stack: Stack, function: str) -> list[dict[str, Any]]:
    configuration = stack.aws_client("lambda").get_function_configuration(FunctionName=function)
    group = configuration.get("LoggingConfig", {}).get("LogGroup") or f"/aws/lambda/{function}"
    lines: list[dict[str, Any]] = []
    for event in stack.aws_client("logs").filter_log_events(logGroupName=group)["events"]:
        if event["message"].startswith("{"):
            lines.append(json.loads(event["message"]))  # noqa: PERF401
    return lines
