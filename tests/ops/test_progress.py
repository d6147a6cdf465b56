"""Waiting: what is shown meanwhile, and what happens when nobody waits any more."""

import json
import sys
from collections import Counter
from io import StringIO
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ops import progress
from ops.stack import Stack
from ops.target import choose
from ops.workflows import describe
from tests.emulator.harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.miniature import NAME, REPORT, Miniature


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def _stack() -> Stack:
    return Stack(choose(NAME, None, None))


def test_who_stops_waiting_learns_what_goes_on(
    sluice: Sluice, miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    miniature.gives("Replay", REPORT, seconds=4)
    monkeypatch.setattr(progress, "items", _interrupt)
    said = sluice("replay", "--wait")
    assert (said.code, said.out) == (130, "")
    assert said.err.startswith("sluice: It goes on without you; `sluice executions replay-2")


def _interrupt(*_: Any) -> Any:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    "error",
    [
        EndpointConnectionError(endpoint_url="https://states"),
        ClientError({"Error": {"Code": "ExpiredTokenException", "Message": "expired"}}, "DescribeExecution"),
    ],
)
def test_whoever_cannot_ask_any_more_learns_that_it_goes_on(
    sluice: Sluice, miniature: Miniature, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def cut(*_: Any) -> Any:
        raise error

    miniature.gives("Replay", REPORT, seconds=4)
    monkeypatch.setattr(progress, "items", cut)
    sentence = sluice("replay", "--wait").failure()
    assert "The execution goes on without you; `sluice executions replay-2" in sentence


def test_a_bar_on_a_terminal_and_lines_elsewhere(
    sluice: Sluice, miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "items", lambda *_: (3, 12))
    miniature.gives("Replay", REPORT, seconds=1)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert sluice("replay", "--wait").code == 0
    assert "3/12" in terminal.getvalue()
    assert "remaining" in terminal.getvalue()
    monkeypatch.undo()


def test_lines_where_there_is_no_terminal(
    sluice: Sluice, miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "items", lambda *_: (3, 12))
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.3)
    miniature.gives("Replay", REPORT, seconds=1)
    said = sluice("replay", "--wait")
    assert said.err.splitlines()[0].endswith(": 3 of 12 batches")


EACH = {
    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
    "StartAt": "One",
    "States": {"One": {"Type": "Pass", "End": True}},
}


def test_of_a_recovery_its_replays_batches_are_counted(sluice: Sluice, miniature: Miniature) -> None:
    miniature.gives("Recover", {}, seconds=5)
    recovery = sluice("recover", "--json").document["arn"]
    stack, states = _stack(), miniature.states
    assert progress.items(stack, describe(stack, recovery), {}) == (0, 0)
    miniature.define("Replay", {
        "Map": {"Type": "Map", "ItemProcessor": EACH, "ItemsPath": "$.items", "ResultPath": None, "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 5, "End": True},
    })  # fmt: skip
    machine = miniature.outputs["ReplayStateMachineArn"]
    states.start_execution(stateMachineArn=machine, input=json.dumps({"items": [1, 2]}))
    wait_until(lambda: progress.items(stack, describe(stack, recovery), {}) == (2, 2))


def test_the_batches_of_every_map_run_are_counted(sluice: Sluice, miniature: Miniature) -> None:
    states = {
        "First": {"Type": "Map", "ItemProcessor": EACH, "MaxConcurrency": 2, "ResultPath": None, "Next": "Second"},
        "Second": {"Type": "Map", "ItemProcessor": EACH, "MaxConcurrency": 2, "ResultPath": None, "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 2, "Next": "Say"},
        "Say": {"Type": "Pass", "Result": REPORT, "End": True},
    }
    for state in ("First", "Second"):
        states[state]["ItemsPath"] = "$.items"
    miniature.define("Replay", states)
    machine = miniature.outputs["ReplayStateMachineArn"]
    started = miniature.states.start_execution(stateMachineArn=machine, input=json.dumps({"items": [1, 2, 3]}))
    seen: list[tuple[int, int]] = []
    asked: Counter[str] = Counter()
    stack = _stack()
    with pytest.MonkeyPatch.context() as patch:
        count = progress.items

        def counting(*given: Any) -> tuple[int, int]:
            seen.append(count(*given))
            return seen[-1]

        patch.setattr(progress, "items", counting)
        describe = stack.client("stepfunctions").describe_map_run

        def counted(**given: Any) -> Any:
            asked[given["mapRunArn"]] += 1
            return describe(**given)

        patch.setattr(stack.client("stepfunctions"), "describe_map_run", counted)
        assert progress.follow(stack, started["executionArn"]).status == "SUCCEEDED"
    assert seen[-1] == (6, 6)
    assert max(asked.values()) < len(seen)
