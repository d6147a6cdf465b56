"""`sluice recover` and `sluice rebuild`."""

import json

import pytest

from testkit.emulator_harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import HEALTHY_DATABASE, REPLAY_REPORT, STACK_NAME, StubStack, build_verified_plan


def test_a_recovery_is_started_and_its_result_is_reported(sluice: Sluice, stub_stack: StubStack) -> None:
    assert sluice("recover", "--from", "2026-01-02").exit_code == 0
    assert stub_stack.latest_input("Recover") == {"trigger": "operator", "from": "2026-01-02T00:00:00Z", "min_age": 0}
    recovery = {
        "outcome": "recovered",
        "seconds": 70,
        "waited": 65,
        "database": HEALTHY_DATABASE,
        "replay": REPLAY_REPORT,
    }
    stub_stack.set_workflow_output("Recover", recovery)
    output = sluice("recover", "--wait")
    assert output.exit_code == 0
    assert output.stdout.splitlines()[:3] == [
        "recovered in 1 min 10 s; waited 1 min 5 s for the primary",
        "  The primary accepts writes; its 2 replicas follow it.",
        "  complete: nothing remains",
    ]
    nothing = {"outcome": "nothing_missing", "waited": 0, "replay": {**REPLAY_REPORT, "planned": 0}}
    stub_stack.set_workflow_output("Recover", nothing)
    assert sluice("recover", "--wait").stdout == "nothing was missing; waited 0 s for the primary\n"
    assert sluice("recover", "--wait", "--json").document["outcome"] == "nothing_missing"


def test_a_second_recovery_waits_for_the_running_one(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_output(
        "Recover", {"outcome": "nothing_missing", "waited": 3, "replay": {**REPLAY_REPORT, "planned": 0}}, 1
    )
    holder = sluice("recover", "--json").document
    history = {"executionArn": holder["arn"]}
    # The emulator reads the definition only when it starts an execution.
    wait_until(lambda: len(stub_stack.step_functions.get_execution_history(**history)["events"]) > 1)
    stub_stack.set_workflow_output("Recover", {"outcome": "already_running", "holder": holder["arn"]})
    output = sluice("recover", "--wait", "--json")
    assert output.exit_code == 0
    assert (output.document["execution"], output.document["outcome"]) == (holder["execution"], "nothing_missing")


def test_a_failed_recovery_is_an_operation_error(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_failure("Recover", "Incomplete", "2 of 5 missing batches remain; the report is s3://b/r.")
    sentence = sluice("recover", "--wait").operation_error()
    assert sentence.startswith("recover failed with Incomplete: 2 of 5 missing batches remain; the report is s3://b/r.")


def test_a_dry_run_of_a_recovery_starts_nothing(sluice: Sluice, stub_stack: StubStack) -> None:
    before = len(stub_stack.list_executions("Recover"))
    stub_stack.set_response("Plan", verify=build_verified_plan("batches/a", "batches/b"))
    output = sluice("recover", "--dry-run", "--from", "2026-01-02")
    assert output.exit_code == 0
    assert output.stdout.startswith("dry run: nothing was started; missing: 2 batches\n")
    assert len(stub_stack.list_executions("Recover")) == before
    assert stub_stack.invocations[1][1]["request"] == {"from": "2026-01-02T00:00:00Z"}
    stub_stack.responses["HealthCheck"] = {
        **HEALTHY_DATABASE,
        "primary": {"is_reachable": False, "accepts_writes": False, "reason": "x"},
    }
    stub_stack.set_response("Plan", verify={"raise": "DatabaseUnavailable", "message": "gone"})
    output = sluice("recover", "--dry-run")
    assert (output.exit_code, "missing batches: unknown" in output.stdout) == (0, True)


def test_a_rebuild_needs_a_stack_with_the_workflow(sluice: Sluice) -> None:
    for words in ([], ["--dry-run"], ["--yes", STACK_NAME]):
        sentence = sluice("rebuild", *words).usage_error()
        assert sentence == f"The stack {STACK_NAME} has no rebuild workflow. Deploy a version that has it."


@pytest.fixture
def with_rebuild(stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch) -> StubStack:
    """A stack with the rebuild workflow: the replay of the stub stack takes its place."""
    outputs = {**stub_stack.outputs, "RebuildStateMachineArn": stub_stack.outputs["ReplayStateMachineArn"]}
    monkeypatch.setattr("ops.aws.Stack.outputs", outputs)
    return stub_stack


def test_a_rebuild_is_confirmed_with_the_name_of_the_stack(sluice: Sluice, with_rebuild: StubStack) -> None:
    before = len(with_rebuild.list_executions("Replay"))
    dry = sluice("rebuild", "--dry-run", "--exclude", "owner=a")
    assert dry.exit_code == 0
    head, shown = dry.stdout.splitlines()
    assert (head[:7], json.loads(shown)["exclude"]["owners"]) == ("dry run", ["a"])
    assert f"give --yes {STACK_NAME}" in sluice("rebuild").usage_error()
    assert "Nothing was done" in sluice("rebuild", "--yes", "other").usage_error()
    assert len(with_rebuild.list_executions("Replay")) == before
    more = ("--exclude", "owner=a", "--source", "archive", "--reason", "a", "--reset-exclusions")
    output = sluice("rebuild", "--yes", STACK_NAME, "--as-of", "2026-01-02", *more)
    assert output.exit_code == 0
    exclude = {"owners": ["a"], "collections": [], "from": None, "to": None, "versions": []}
    request = {
        "as_of": "2026-01-02T00:00:00Z",
        "exclude": exclude,
        "source": "archive",
        "reason": "a",
        "reset_exclusions": True,
    }
    assert with_rebuild.latest_input("Replay") == request


def test_the_tables_of_a_rebuild_are_reported(sluice: Sluice, with_rebuild: StubStack) -> None:
    with_rebuild.set_workflow_output(
        "Replay", {**REPLAY_REPORT, "tables": {"things": {"rows": 5}}, "retained": ["things_until_x"]}
    )
    output = sluice("rebuild", "--yes", STACK_NAME, "--wait")
    assert output.exit_code == 0
    assert output.stdout.splitlines()[-2:] == ["  things: 5 rows", "  retained: things_until_x"]
