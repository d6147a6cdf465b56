"""Waiting for an execution: its progress, and the errors when the wait ends early."""

import json
import sys
from collections import Counter
from io import StringIO
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops import progress
from ops.aws import Stack, choose_target
from ops.workflows import describe_execution
from testkit.emulator_harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import REPLAY_REPORT, STACK_NAME, StubStack


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def _stack() -> Stack:
    return Stack(choose_target(STACK_NAME, None, None))


def test_ctrl_c_says_that_the_execution_continues(
    sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub_stack.set_workflow_output("Replay", REPLAY_REPORT, seconds=4)
    monkeypatch.setattr(progress, "count_items", _interrupt)
    output = sluice("replay", "--wait")
    assert (output.exit_code, output.stdout) == (130, "")
    assert output.stderr.startswith("sluice: Interrupted; the execution continues.\nhint: `sluice executions replay-2")


def _interrupt(*_: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://states"),
        ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "DescribeExecution"),
    ],
)
def test_an_error_of_aws_during_the_wait_says_that_the_execution_continues(
    sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def cut(*_: Any) -> Any:
        raise error

    stub_stack.set_workflow_output("Replay", REPLAY_REPORT, seconds=4)
    monkeypatch.setattr(progress, "count_items", cut)
    sentence = sluice("replay", "--wait").operation_error()
    assert "The execution continues. `sluice executions replay-2" in sentence


def test_a_terminal_gets_a_bar(sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "count_items", lambda *_: (3, 12))
    stub_stack.set_workflow_output("Replay", REPLAY_REPORT, seconds=1)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert sluice("replay", "--wait").exit_code == 0
    assert "3/12" in terminal.getvalue()
    assert "remaining" in terminal.getvalue()
    monkeypatch.undo()


def test_without_a_terminal_lines_are_printed(
    sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "count_items", lambda *_: (3, 12))
    monkeypatch.setattr(progress, "LINE_INTERVAL_SECONDS", 0.3)
    stub_stack.set_workflow_output("Replay", REPLAY_REPORT, seconds=1)
    output = sluice("replay", "--wait")
    assert output.stderr.splitlines()[0].endswith(": 3 of 12 batches")


EACH = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    "StartAt": "One",
    "States": {"One": {"Type": "Pass", "End": True}},
}


def test_the_batches_of_a_recoverys_replay_are_counted(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_output("Recover", {}, seconds=5)
    recovery = sluice("recover", "--json").document["arn"]
    stack, states = _stack(), stub_stack.step_functions
    assert progress.count_items(stack, describe_execution(stack, recovery), {}) == (0, 0)
    stub_stack.define_workflow("Replay", {
        "Map": {"Type": "Map", "ItemProcessor": EACH, "ItemsPath": "$.items", "ResultPath": None, "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 5, "End": True},
    })  # fmt: skip
    machine = stub_stack.outputs["ReplayStateMachineArn"]
    states.start_execution(stateMachineArn=machine, input=json.dumps({"items": [1, 2]}))
    wait_until(lambda: progress.count_items(stack, describe_execution(stack, recovery), {}) == (2, 2))


def test_the_batches_of_every_map_run_are_counted(sluice: Sluice, stub_stack: StubStack) -> None:
    states = {
        "First": {"Type": "Map", "ItemProcessor": EACH, "MaxConcurrency": 2, "ResultPath": None, "Next": "Second"},
        "Second": {"Type": "Map", "ItemProcessor": EACH, "MaxConcurrency": 2, "ResultPath": None, "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 2, "Next": "Say"},
        "Say": {"Type": "Pass", "Result": REPLAY_REPORT, "End": True},
    }
    for state in ("First", "Second"):
        states[state]["ItemsPath"] = "$.items"
    stub_stack.define_workflow("Replay", states)
    machine = stub_stack.outputs["ReplayStateMachineArn"]
    started = stub_stack.step_functions.start_execution(stateMachineArn=machine, input=json.dumps({"items": [1, 2, 3]}))
    seen: list[tuple[int, int]] = []
    reads: Counter[str] = Counter()
    stack = _stack()
    with pytest.MonkeyPatch.context() as patch:
        count_items = progress.count_items

        def record_count(*arguments: Any) -> tuple[int, int]:
            seen.append(count_items(*arguments))
            return seen[-1]

        patch.setattr(progress, "count_items", record_count)
        describe = stack.client("stepfunctions").describe_map_run

        def record_read(**arguments: Any) -> Any:
            reads[arguments["mapRunArn"]] += 1
            return describe(**arguments)

        patch.setattr(stack.client("stepfunctions"), "describe_map_run", record_read)
        assert progress.wait_for_execution(stack, started["executionArn"]).status == "SUCCEEDED"
    assert seen[-1] == (6, 6)
    assert max(reads.values()) < len(seen)
