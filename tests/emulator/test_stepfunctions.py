import json
import time
from pathlib import Path
from typing import Any

import pytest

from local.emulator.workflows.executions import compute_retry_delay
from testkit.emulator_harness import Emulator, build_function, deploy_stack, start_emulator, wait_until

CODE = """
    import time

    class DatabaseUnavailable(Exception):
        pass

    def handle(event, context):
        time.sleep(event.get("sleep", 0))
        if event.get("fail"):
            raise DatabaseUnavailable("no connection")
        return "x" * event.get("size", 0)
"""


def _get_or_create_role(emulator: Emulator) -> str:
    iam = emulator.client("iam")
    principal = {"Service": "states.amazonaws.com"}
    trust = {"Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]}
    try:
        return str(iam.get_role(RoleName="states")["Role"]["Arn"])
    except iam.exceptions.NoSuchEntityException:
        return str(iam.create_role(RoleName="states", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])


@pytest.fixture(scope="module")
def arns(emulator: Emulator) -> dict[str, str]:
    resources = {"Worker": build_function(CODE), "Limited": build_function(CODE, ReservedConcurrentExecutions=1)}
    outputs = {name: {"Value": {"Fn::GetAtt": [name, "Arn"]}} for name in resources}
    return deploy_stack(emulator, "states", {"Resources": resources, "Outputs": outputs})


def _create_machine(emulator: Emulator, name: str, task: dict[str, Any], **states: Any) -> str:
    definition = {
        "StartAt": "Work",
        "States": {"Work": {"Type": "Task", "End": True, **task}, **states},
    }
    created = emulator.client("stepfunctions").create_state_machine(
        name=name, definition=json.dumps(definition), roleArn=_get_or_create_role(emulator)
    )
    return str(created["stateMachineArn"])


def _start_execution(emulator: Emulator, machine: str, payload: Any) -> str:
    started = emulator.client("stepfunctions").start_execution(stateMachineArn=machine, input=json.dumps(payload))
    return str(started["executionArn"])


def _wait_for_end(emulator: Emulator, execution: str, seconds: float = 15) -> dict[str, Any]:
    client = emulator.client("stepfunctions")

    def describe_if_ended() -> Any:
        description = client.describe_execution(executionArn=execution)
        return description if description["status"] != "RUNNING" else None

    return dict(wait_until(describe_if_ended, seconds))


def test_an_error_is_caught_by_its_class_name(emulator: Emulator, arns: dict[str, str]) -> None:
    machine = _create_machine(
        emulator,
        "catching",
        {"Resource": arns["Worker"], "Catch": [{"ErrorEquals": ["DatabaseUnavailable"], "Next": "Parked"}]},
        Parked={"Type": "Pass", "End": True},
    )
    output = json.loads(_wait_for_end(emulator, _start_execution(emulator, machine, {"fail": True}))["output"])
    assert output["Error"] == "DatabaseUnavailable"
    assert json.loads(output["Cause"])["errorMessage"] == "no connection"


def test_a_throttle_has_its_own_error_name_and_is_retried(emulator: Emulator, arns: dict[str, str]) -> None:
    retry = {
        "ErrorEquals": ["Lambda.TooManyRequestsException"],
        "IntervalSeconds": 1,
        "MaxAttempts": 99_999,
        "MaxDelaySeconds": 1,
        "JitterStrategy": "FULL",
    }
    machine = _create_machine(emulator, "throttled", {"Resource": arns["Limited"], "Retry": [retry]})
    executions = [_start_execution(emulator, machine, {"sleep": 0.3}) for _ in range(5)]
    assert {_wait_for_end(emulator, execution)["status"] for execution in executions} == {"SUCCEEDED"}


def test_max_delay_seconds_limits_the_backoff(emulator: Emulator, arns: dict[str, str]) -> None:
    retry = {"ErrorEquals": ["States.ALL"], "BackoffRate": 20, "MaxAttempts": 2, "MaxDelaySeconds": 1}
    machine = _create_machine(emulator, "bounded", {"Resource": arns["Worker"], "Retry": [retry]})
    started = time.monotonic()
    execution = _wait_for_end(emulator, _start_execution(emulator, machine, {"fail": True}))
    assert execution["error"] == "DatabaseUnavailable"
    assert 2 <= time.monotonic() - started < 5


def test_delays_grow_without_limit_and_jitter_spreads_them() -> None:
    retrier = {"IntervalSeconds": 3, "BackoffRate": 2}
    assert [compute_retry_delay(retrier, count) for count in (0, 1, 6)] == [3, 6, 192]
    assert compute_retry_delay({**retrier, "MaxDelaySeconds": 30}, 9_999) == 30
    spread = [compute_retry_delay({**retrier, "JitterStrategy": "FULL"}, 2) for _ in range(200)]
    assert 0 <= min(spread) < 3
    assert 9 < max(spread) <= 12


def test_states_all_does_not_match_too_much_data(emulator: Emulator, arns: dict[str, str]) -> None:
    machine = _create_machine(
        emulator,
        "large",
        {"Resource": arns["Worker"], "Catch": [{"ErrorEquals": ["States.ALL"], "Next": "Parked"}]},
        Parked={"Type": "Pass", "End": True},
    )
    assert (
        _wait_for_end(emulator, _start_execution(emulator, machine, {"size": 300_000}))["error"]
        == "States.DataLimitExceeded"
    )


def test_a_stopped_execution_does_not_retry(emulator: Emulator, arns: dict[str, str]) -> None:
    retry = {"ErrorEquals": ["DatabaseUnavailable"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 50}
    machine = _create_machine(emulator, "stopped", {"Resource": arns["Worker"], "Retry": [retry]})
    execution = _start_execution(emulator, machine, {"fail": True})
    client = emulator.client("stepfunctions")

    def events() -> int:
        return len(client.get_execution_history(executionArn=execution, maxResults=1000)["events"])

    wait_until(lambda: events() > 3)
    client.stop_execution(executionArn=execution)
    before = events()
    time.sleep(1.5)
    assert client.describe_execution(executionArn=execution)["status"] == "ABORTED"
    assert events() == before


def test_an_execution_continues_after_a_restart(tmp_path: Path) -> None:
    first = start_emulator(tmp_path)
    outputs = deploy_stack(
        first,
        "states",
        {
            "Resources": {"Worker": build_function(CODE)},
            "Outputs": {"Arn": {"Value": {"Fn::GetAtt": ["Worker", "Arn"]}}},
        },
    )
    machine = _create_machine(first, "restarted", {"Resource": outputs["Arn"]})
    execution = _start_execution(first, machine, {"sleep": 3, "size": 1})
    time.sleep(0.5)
    first.stop()
    second = start_emulator(tmp_path)
    try:
        assert _wait_for_end(second, execution)["output"] == '"x"'
    finally:
        second.stop()
