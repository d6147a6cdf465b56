"""`sluice replay`: the request, the report and the exit codes."""

import json
from typing import Any

import pytest

from tests.ops.conftest import Sluice
from tests.ops.stub_stack import REPLAY_REPORT, StubStack

WINDOW = ("--from", "2026-01-02", "--to", "2026-01-03")
ALL: dict[str, Any] = {
    "from": None,
    "to": None,
    "collections": [],
    "source": "batches",
    "mode": "missing",
    "dry_run": False,
}


def test_a_replay_is_started(sluice: Sluice, stub_stack: StubStack) -> None:
    output = sluice("replay", "--json")
    assert output.exit_code == 0
    assert stub_stack.latest_input("Replay") == output.document["request"] == ALL
    assert output.document["status"] == "started"
    assert output.document["execution"].startswith("replay-2")
    assert output.document["arn"] == stub_stack.list_executions("Replay")[0]["executionArn"]
    assert stub_stack.invocations[0] == ("Plan", {"step": "begin", "name": "check", "request": ALL})


def test_the_arguments_become_the_request(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.put_object("archive/2026/01/02/05/x.gz", bucket=stub_stack.outputs["ArchiveBucketName"])
    assert sluice("replay", *WINDOW, "--collection", "a", "--collection", "b", "--source", "archive").exit_code == 0
    assert stub_stack.latest_input("Replay") == {
        "from": "2026-01-02T00:00:00Z",
        "to": "2026-01-03T00:00:00Z",
        "collections": ["a", "b"],
        "source": "archive",
        "mode": "all",
        "dry_run": False,
    }
    assert sluice("replay", "--mode", "all").exit_code == 0
    assert stub_stack.latest_input("Replay") == {**ALL, "mode": "all"}


def test_a_complete_replay_is_reported(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_output("Replay", REPLAY_REPORT, seconds=1)
    output = sluice("replay", "--wait")
    assert output.exit_code == 0
    assert output.stdout.splitlines() == [
        "complete: nothing remains",
        "  listed     9 batches",
        "  planned    3 batches, 2.9 KiB, oldest from 2026-11-25T03:00:00Z",
        "  loaded     2 batches, 1 already loaded",
        "  writes     20 applied, 1 stale, 0 rejected",
        "  remaining  0 batches",
        "  duration   1.5 s",
        "  report     s3://b/replays/r/report.json",
    ]
    document = sluice("replay", "--wait", "--json").document
    assert {**document, "execution": ""} == {**REPLAY_REPORT, "execution": ""}


def test_a_replay_from_the_archive_counts_objects(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_output("Replay", {**REPLAY_REPORT, "request": {"source": "archive"}, "oldest": None})
    lines = sluice("replay", "--source", "archive", "--wait").stdout.splitlines()
    assert lines[1:3] == ["  listed     9 objects", "  planned    3 objects, 2.9 KiB"]


def test_a_dry_run_waits_and_changes_nothing(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_output("Replay", {**REPLAY_REPORT, "status": "planned", "loaded": 0, "already_loaded": 0})
    output = sluice("replay", "--dry-run")
    assert output.exit_code == 0
    assert output.stdout.startswith("dry run: 3 batches would be loaded; nothing was changed\n")
    assert stub_stack.latest_input("Replay") == {**ALL, "dry_run": True}


def test_an_incomplete_replay_is_reported(sluice: Sluice, stub_stack: StubStack) -> None:
    failures = [{"key": "batches/k", "error": "SchemaOutdated"}]
    changes = {"status": "incomplete", "failed": 1, "remaining": 1, "failures": failures, "stopped": True}
    stub_stack.set_workflow_output("Replay", {**REPLAY_REPORT, **changes})
    output = sluice("replay", "--wait")
    assert output.exit_code == 1
    assert output.stdout.startswith("incomplete: 1 batch could not be loaded\n")
    assert "  SchemaOutdated  batches/k" in output.stdout
    assert "too many loads found the database unavailable" in output.stdout
    assert sluice("replay", "--wait", "--json").exit_code == 1


@pytest.mark.parametrize("error", ["InvalidInput", "InvalidWindow", "FutureTime", "UnknownCollection"])
def test_a_request_that_the_plan_function_rejects_starts_nothing(
    sluice: Sluice, stub_stack: StubStack, error: str
) -> None:
    before = len(stub_stack.list_executions("Replay"))
    stub_stack.set_response("Plan", begin={"raise": error, "message": "There is no collection 'x'; there are a, b."})
    assert sluice("replay", "--collection", "x").usage_error() == "There is no collection 'x'; there are a, b."
    assert len(stub_stack.list_executions("Replay")) == before


def test_a_window_that_ends_before_it_begins_is_a_usage_error(sluice: Sluice, stub_stack: StubStack) -> None:
    sentence = sluice("replay", "--from", "2026-01-03", "--to", "2026-01-02").usage_error()
    assert "ends (2026-01-02T00:00:00Z) before it begins" in sentence
    assert stub_stack.invocations == []


@pytest.mark.parametrize(
    ("hour", "is_delivered"),
    [("01/22", False), ("01/23", True), ("02/12", True), ("03/00", True), ("03/01", False)],
)
def test_a_window_without_objects_is_a_usage_error(
    sluice: Sluice, stub_stack: StubStack, hour: str, is_delivered: bool
) -> None:
    stub_stack.put_object(f"batches/2026/01/{hour}/x.gz")
    before = len(stub_stack.list_executions("Replay"))
    output = sluice("replay", *WINDOW)
    assert (output.exit_code, len(stub_stack.list_executions("Replay")) - before) == (
        (0, 1) if is_delivered else (2, 0)
    )
    if not is_delivered:
        assert output.usage_error().startswith("The batches bucket has no object in the window (from 2026-01-02T00")


def test_a_replay_that_lists_nothing_in_its_window_is_a_usage_error(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.put_object("batches/2026/01/02/05/x.gz")
    stub_stack.set_workflow_output("Replay", {**REPLAY_REPORT, "listed": 0, "planned": 0, "oldest": None})
    assert sluice("replay", *WINDOW, "--wait").usage_error().startswith("The batches bucket has no object")
    assert sluice("replay", "--wait").exit_code == 0


def test_a_failed_replay_is_reported(sluice: Sluice, stub_stack: StubStack) -> None:
    cause = json.dumps({"errorType": "DatabaseUnavailable", "errorMessage": "OperationalError 2003"})
    stub_stack.set_workflow_failure("Replay", "DatabaseUnavailable", cause)
    sentence = sluice("replay", "--wait").operation_error()
    assert sentence.startswith("replay failed with DatabaseUnavailable: OperationalError 2003. (execution replay-2")
    stub_stack.set_workflow_failure(
        "Replay", "UnknownCollection", json.dumps({"errorMessage": "There is no collection 'x'."})
    )
    assert sluice("replay", "--wait").usage_error() == "There is no collection 'x'."


def test_a_failed_function_is_an_operation_error(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_response("Plan", begin={"raise": "SomethingElse", "message": "withheld"})
    assert sluice("replay").operation_error() == "PlanFunction failed with SomethingElse: withheld"
