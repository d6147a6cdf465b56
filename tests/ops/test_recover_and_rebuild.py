"""`sluice recover` and `sluice rebuild`."""

import json

import pytest

from tests.emulator.harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import HEALTHY_DATABASE, REPLAY_REPORT, STACK_NAME, StubStack, build_verified_plan


def test_a_recovery_is_started_and_waited_for(sluice: Sluice, miniature: StubStack) -> None:
    assert sluice("recover", "--from", "2026-01-02").exit_code == 0
    assert miniature.latest_input("Recover") == {"trigger": "hand", "from": "2026-01-02T00:00:00Z", "min_age": 0}
    output = {
        "outcome": "recovered",
        "seconds": 70,
        "waited": 65,
        "database": HEALTHY_DATABASE,
        "replay": REPLAY_REPORT,
    }
    miniature.set_workflow_output("Recover", output)
    said = sluice("recover", "--wait")
    assert said.exit_code == 0
    assert said.stdout.splitlines()[:3] == [
        "recovered in 1 min 10 s; the wait for the primary was 1 min 5 s",
        "  The primary takes writes; the replica follows it.",
        "  complete: nothing remains",
    ]
    nothing = {"outcome": "nothing_missing", "waited": 0, "replay": {**REPLAY_REPORT, "planned": 0}}
    miniature.set_workflow_output("Recover", nothing)
    assert sluice("recover", "--wait").stdout == "nothing was missing; the wait for the primary was 0 s\n"
    assert sluice("recover", "--wait", "--json").document["outcome"] == "nothing_missing"


def test_a_recovery_that_stands_by_waits_for_the_one_at_work(sluice: Sluice, miniature: StubStack) -> None:
    miniature.set_workflow_output(
        "Recover", {"outcome": "nothing_missing", "waited": 3, "replay": {**REPLAY_REPORT, "planned": 0}}, 1
    )
    holder = sluice("recover", "--json").document
    history = {"executionArn": holder["arn"]}
    # The emulator reads the definition only when it comes to an execution.
    wait_until(lambda: len(miniature.step_functions.get_execution_history(**history)["events"]) > 1)
    miniature.set_workflow_output("Recover", {"outcome": "already_running", "holder": holder["arn"]})
    said = sluice("recover", "--wait", "--json")
    assert said.exit_code == 0
    assert (said.document["execution"], said.document["outcome"]) == (holder["execution"], "nothing_missing")


def test_a_recovery_that_fails(sluice: Sluice, miniature: StubStack) -> None:
    miniature.set_workflow_failure("Recover", "Incomplete", "2 of 5 missing batches remain; the report is s3://b/r.")
    sentence = sluice("recover", "--wait").operation_error()
    assert sentence.startswith("recover failed with Incomplete: 2 of 5 missing batches remain; the report is s3://b/r.")


def test_a_dry_recovery_starts_nothing(sluice: Sluice, miniature: StubStack) -> None:
    before = len(miniature.list_executions("Recover"))
    miniature.set_response("Plan", verify=build_verified_plan("batches/a", "batches/b"))
    said = sluice("recover", "--dry-run", "--from", "2026-01-02")
    assert said.exit_code == 0
    assert said.stdout.startswith("dry run: nothing was started; batches missing: 2\n")
    assert len(miniature.list_executions("Recover")) == before
    assert miniature.invocations[1][1]["request"] == {"from": "2026-01-02T00:00:00Z"}
    miniature.responses["HealthCheck"] = {
        **HEALTHY_DATABASE,
        "primary": {"answers": False, "takes_writes": False, "reason": "x"},
    }
    miniature.set_response("Plan", verify={"raise": "DatabaseUnavailable", "said": "gone"})
    said = sluice("recover", "--dry-run")
    assert (said.exit_code, "what is missing cannot be told now" in said.stdout) == (0, True)


def test_a_rebuild_needs_a_stack_that_has_one(sluice: Sluice) -> None:
    for words in ([], ["--dry-run"], ["--yes", STACK_NAME]):
        sentence = sluice("rebuild", *words).usage_error()
        assert sentence == f"The stack {STACK_NAME} has no rebuild workflow: deploy a version that has it."


@pytest.fixture
def rebuilding(miniature: StubStack, monkeypatch: pytest.MonkeyPatch) -> StubStack:
    """A stack that has the workflow: the miniature's replay stands for it."""
    outputs = {**miniature.outputs, "RebuildStateMachineArn": miniature.outputs["ReplayStateMachineArn"]}
    monkeypatch.setattr("ops.aws.Stack.outputs", outputs)
    return miniature


def test_a_rebuild_is_confirmed_by_the_stacks_name(sluice: Sluice, rebuilding: StubStack) -> None:
    before = len(rebuilding.list_executions("Replay"))
    dry = sluice("rebuild", "--dry-run", "--exclude", "owner=a")
    assert dry.exit_code == 0
    head, shown = dry.stdout.splitlines()
    assert (head[:7], json.loads(shown)["exclude"]["owners"]) == ("dry run", ["a"])
    assert "give --yes miniature" in sluice("rebuild").usage_error()
    assert "Nothing was done" in sluice("rebuild", "--yes", "other").usage_error()
    assert len(rebuilding.list_executions("Replay")) == before
    more = ("--exclude", "owner=a", "--source", "archive", "--reason", "a", "--afresh")
    said = sluice("rebuild", "--yes", STACK_NAME, "--as-of", "2026-01-02", *more)
    assert said.exit_code == 0
    exclude = {"owners": ["a"], "collections": [], "from": None, "to": None, "versions": []}
    given = {"as_of": "2026-01-02T00:00:00Z", "exclude": exclude, "source": "archive", "reason": "a", "afresh": True}
    assert rebuilding.latest_input("Replay") == given


def test_what_a_rebuild_made(sluice: Sluice, rebuilding: StubStack) -> None:
    rebuilding.set_workflow_output(
        "Replay", {**REPLAY_REPORT, "tables": {"things": {"rows": 5}}, "kept": ["things_until_x"]}
    )
    said = sluice("rebuild", "--yes", STACK_NAME, "--wait")
    assert said.exit_code == 0
    assert said.stdout.splitlines()[-2:] == ["  things: 5 rows", "  kept: things_until_x"]
