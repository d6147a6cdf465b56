"""`sluice status` and `sluice executions`."""

import copy
import datetime
import json
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from ops.aws import Stack, choose_target
from ops.commands.status import MAX_PENDING_SECONDS, list_advice
from ops.workflows import list_executions
from testkit.emulator_harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import HEALTHY_DATABASE, REPLAY_REPORT, STACK_NAME, StubStack, build_verified_plan

HEALTHY_REPLICA = HEALTHY_DATABASE["replicas"][0]
UNAVAILABLE: dict[str, Any] = {
    "primary": {"is_reachable": False, "accepts_writes": False, "reason": "DatabaseUnavailable: OperationalError 2003"},
    "replicas": [
        {
            "name": name,
            "is_reachable": True,
            "replicates": False,
            "seconds": None,
            "reason": "DatabaseUnavailable: OperationalError 2003",
        }
        for name in ("replica-1", "replica-2")
    ],
    "ledger": None,
    "summary": "The primary accepts no writes; replica-1 does not follow it.",
}


def silent(name: str) -> dict[str, Any]:
    return {"name": name, "is_reachable": False, "replicates": False, "seconds": None, "reason": "gone"}


def stopped(name: str) -> dict[str, Any]:
    return {"name": name, "is_reachable": True, "replicates": False, "seconds": None, "reason": "stopped"}


def test_a_healthy_stack_needs_no_attention(sluice: Sluice, stub_stack: StubStack) -> None:
    output = sluice("status")
    assert output.exit_code == 0
    lines = dict(line.split("  ", 1) for line in output.stdout.splitlines())
    report = {name.strip(): value.strip() for name, value in lines.items()}
    assert report["stack"] == f"{STACK_NAME} in us-east-1"
    assert (report["primary"], report["replica-1"]) == ("accepts writes", "replicates, 0.1 s behind")
    assert report["replica-2"] == "replicates, 0.2 s behind"
    assert (report["loaded"], report["pending"], report["parked"]) == ("12 batches", "0 batches", "0 batches")
    assert (report["rejected"], report["running"]) == ("0 writes", "no workflow")
    assert report["protection"] == "off: deploy with DeletionProtection=true"
    document = sluice("status", "--json").document
    assert (document["lag_seconds"], document["advice"], document["parked_exact"]) == (0.2, [], True)


def test_an_unavailable_primary_makes_counts_unknown(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.responses["HealthCheck"] = UNAVAILABLE
    stub_stack.set_response("Plan", verify={"raise": "DatabaseUnavailable", "message": "OperationalError 2003"})
    output = sluice("status")
    assert output.exit_code == 1
    assert "pending       unknown: the primary is unavailable" in output.stdout
    assert "The primary does not respond. The API still accepts writes" in output.stdout
    document = sluice("status", "--json").document
    assert (document["pending"], document["parked"], document["rejected_writes"]) == (None, None, None)


@pytest.mark.parametrize(
    ("primary", "replica", "line"),
    [
        (True, silent("replica-2"), "replica-2     does not respond: gone"),
        (False, silent("replica-2"), "replica-2     does not respond: gone"),
        (True, stopped("replica-2"), "replica-2     does not replicate: stopped"),
        (
            False,
            stopped("replica-2"),
            "replica-2     responds; replication is unknown while the primary is unavailable",
        ),
    ],
)
def test_the_state_of_each_replica_is_reported(
    sluice: Sluice, stub_stack: StubStack, primary: bool, replica: dict[str, Any], line: str
) -> None:
    health = copy.deepcopy(HEALTHY_DATABASE if primary else UNAVAILABLE)
    health["replicas"][1] = replica
    stub_stack.responses["HealthCheck"] = health
    stub_stack.set_response()
    output = sluice("status")
    assert line in output.stdout.splitlines()
    assert sluice("status", "--json").document["replicas"][1] == replica


def test_a_stack_without_replicas_reads_from_the_primary(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.responses["HealthCheck"] = {**HEALTHY_DATABASE, "replicas": []}
    stub_stack.set_response()
    assert "replicas      none: the primary serves the reads" in sluice("status").stdout.splitlines()
    document = sluice("status", "--json").document
    assert (document["replicas"], document["lag_seconds"], document["advice"]) == ([], None, [])


def test_a_stack_of_an_older_version_has_one_replica(sluice: Sluice, stub_stack: StubStack) -> None:
    """Whoever updates the command before the stack still sees its state."""
    older: dict[str, Any] = {name: value for name, value in HEALTHY_DATABASE.items() if name != "replicas"}
    older["replica"] = {"is_reachable": True, "replicates": True, "seconds": 0.2, "reason": ""}
    stub_stack.responses["HealthCheck"] = older
    stub_stack.set_response()
    assert "replica-1     replicates, 0.2 s behind" in sluice("status").stdout.splitlines()


def test_another_error_of_the_plan_function_is_an_operation_error(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_response("Plan", verify={"raise": "Odd", "message": "withheld"})
    assert sluice("status").operation_error() == "PlanFunction failed with Odd: withheld"


def test_what_needs_attention_is_counted(sluice: Sluice, stub_stack: StubStack) -> None:
    health = copy.deepcopy(HEALTHY_DATABASE)
    health["ledger"]["rejected"] = 4
    stub_stack.responses["HealthCheck"] = health
    stub_stack.set_response("Plan", verify=build_verified_plan("batches/a", "batches/b"))
    stub_stack.put_object("quarantine/batches/q.gz")
    for number in range(2):
        stub_stack.put_object(f"errors/processing-failed/2026/01/01/00/{number}")
    stub_stack.sqs.send_message(QueueUrl=stub_stack.outputs["EventDeadLettersUrl"], MessageBody="{}")
    output = sluice("status", "--json")
    assert output.exit_code == 1
    status = output.document
    counts = ("rejected_writes", "quarantined", "undelivered", "dead_letters")
    assert [status[name] for name in counts] == [4, 1, 2, 1]
    assert (status["pending"]["batches"], status["pending"]["bytes"]) == (2, 20)
    assert status["pending"]["age_seconds"] > 0
    assert len(status["advice"]) == 5


def test_pending_batches_are_counted_until_the_plan_is_verified(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_response("Plan", verify=[{"verified": False}, build_verified_plan("batches/a")])
    assert sluice("status", "--json").document["pending"]["batches"] == 1


@pytest.mark.parametrize(
    ("arns", "line", "counts"),
    [
        ([], "nobody is notified: deploy with AlertEmail, or subscribe to the topic AlertsTopicArn", (0, 0)),
        (["PendingConfirmation"], "nobody is notified: follow the link in the mail that AWS sent", (0, 1)),
        (["arn:aws:sns:1", "PendingConfirmation"], "notify 1 subscriber", (1, 1)),
        (["arn:aws:sns:1", "arn:aws:sns:2"], "notify 2 subscribers", (2, 0)),
    ],
)
def test_the_status_says_who_is_notified(
    sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch, arns: list[str], line: str, counts: Any
) -> None:
    stack_client = Stack.client
    sns = boto3.client("sns", region_name="us-east-1")
    stubber = Stubber(sns)
    for _ in range(2):
        response = {"Subscriptions": [{"SubscriptionArn": arn} for arn in arns]}
        stubber.add_response(
            "list_subscriptions_by_topic", response, {"TopicArn": stub_stack.outputs["AlertsTopicArn"]}
        )
    monkeypatch.setattr(
        Stack, "client", lambda stack, service: sns if service == "sns" else stack_client(stack, service)
    )
    with stubber:
        output = sluice("status")
        document = sluice("status", "--json").document
    assert any(row.startswith(f"alerts        {line}") for row in output.stdout.splitlines())
    # It does not need attention now: the exit code stays 0.
    assert output.exit_code == 0
    assert (document["alerts"]["confirmed"], document["alerts"]["pending"]) == counts


def load_event(key: str) -> dict[str, Any]:
    return {"detail": {"bucket": {"name": "b"}, "object": {"key": key, "etag": "e"}}}


def park(stub_stack: StubStack, *keys: str, other_input: Any = None) -> None:
    machine = stub_stack.outputs["LoadStateMachineArn"]
    for event in [*map(load_event, keys), *([other_input] if other_input else [])]:
        stub_stack.step_functions.start_execution(stateMachineArn=machine, input=json.dumps(event))
    # The emulator reads the definition only when it starts an execution.
    wait_until(
        lambda: all(execution["status"] == "FAILED" for execution in stub_stack.list_executions("Load")[: len(keys)])
    )


def test_only_pending_batches_count_as_parked(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_failure("Load", "Parked", "away")
    park(stub_stack, "batches/a", "batches/a", "batches/loaded-since", other_input={"by": "hand"})
    stub_stack.set_workflow_failure("Load", "Quarantined", "unreadable")
    park(stub_stack, "batches/b")
    stub_stack.set_response("Plan", verify=build_verified_plan("batches/a", "batches/b"))
    status = sluice("status", "--json").document
    assert (status["parked"], status["parked_exact"]) == (1, True)
    assert status["advice"] == ["1 batch parked: `sluice recover --wait`."]
    stub_stack.set_response("Plan", verify=build_verified_plan("batches/a", "batches/b", objects=500))
    output = sluice("status")
    assert "parked        about 2 batches" in output.stdout
    stub_stack.set_response("Plan", verify=build_verified_plan())
    assert sluice("status", "--json").document["parked"] == 0


def status(**changes: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"batches": 0, "bytes": 0, "oldest": None, "age_seconds": None, "sample": []}
    return {
        "primary": HEALTHY_DATABASE["primary"],
        "replicas": HEALTHY_DATABASE["replicas"],
        "pending": nothing,
        "loading": 0,
        "parked": 0,
        "quarantined": 0,
        "rejected_writes": 0,
        "undelivered": 0,
        "dead_letters": 0,
        "running": {"replay": []},
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"primary": {"is_reachable": True, "accepts_writes": False, "reason": ""}}, "accepts no writes"),
        ({"replicas": [silent("replica-1")]}, "replica-1 does not respond: reads fail."),
        (
            {"replicas": [silent("replica-1"), silent("replica-2"), silent("replica-3")]},
            "replica-1, replica-2 and replica-3 do not respond: reads fail.",
        ),
        (
            {"replicas": [HEALTHY_REPLICA, silent("replica-2")]},
            "replica-2 does not respond: the others serve the reads.",
        ),
        ({"replicas": [stopped("replica-1")]}, "replica-1 does not replicate: reads are stale."),
        (
            {"replicas": [HEALTHY_REPLICA, stopped("replica-2")]},
            "replica-2 does not replicate: the others serve the reads.",
        ),
        (
            {"pending": {"batches": 1, "age_seconds": MAX_PENDING_SECONDS + 1}},
            "A batch is pending for 15 min 1 s and nothing loads it",
        ),
        ({"dead_letters": 1}, "1 event in the dead-letter queue"),
        ({"parked": 2}, "2 batches parked: `sluice recover --wait`."),
        ({"parked": 2, "running": {"recover": ["r"]}}, "2 batches parked: a workflow is running, see `sluice exec"),
    ],
)
def test_advice(changes: dict[str, Any], part: str) -> None:
    (sentence,) = list_advice(status(**changes))
    assert part in sentence


def test_without_a_replica_reads_need_the_primary() -> None:
    unavailable = {"primary": UNAVAILABLE["primary"], "replicas": []}
    assert list_advice(status(**unavailable))[1] == (
        "There is no replica, so reads fail while the primary does not respond."
    )


def test_one_silent_and_one_stopped_replica_leave_stale_reads() -> None:
    assert list_advice(status(replicas=[silent("replica-1"), stopped("replica-2")])) == [
        "replica-1 does not respond: the others serve the reads.",
        "replica-2 does not replicate: reads are stale.",
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"pending": None, "rejected_writes": None, "parked": None},
        {"pending": {"batches": 1, "age_seconds": MAX_PENDING_SECONDS}},
        {"pending": {"batches": 1, "age_seconds": MAX_PENDING_SECONDS + 1}, "loading": 1},
        {"pending": {"batches": 1, "age_seconds": MAX_PENDING_SECONDS + 1}, "running": {"replay": ["r"]}},
    ],
)
def test_no_advice(changes: dict[str, Any]) -> None:
    assert list_advice(status(**changes)) == []


def test_executions_are_listed_latest_first(sluice: Sluice, stub_stack: StubStack) -> None:
    replay = sluice("replay", "--json").document["execution"]
    recover = sluice("recover", "--json").document["execution"]
    listed = sluice("executions", "--json", "--limit", "2").document
    assert [entry["execution"] for entry in listed] == [recover, replay]
    assert [entry["execution"] for entry in sluice("executions", "--json", "--limit", "1").document] == [recover]
    assert [entry["workflow"] for entry in listed] == ["recover", "replay"]
    assert datetime.datetime.fromisoformat(listed[0]["started"]).tzinfo is not None
    (line,) = sluice("executions", "--workflow", "replay", "--limit", "1").stdout.splitlines()[1:]
    assert line.endswith(f"replay    {replay}")
    assert sluice("executions", "--workflow", "replay", "--status", "timed_out").stdout == "there are no executions\n"
    assert "has no workflow rebuild" in sluice("executions", "--workflow", "rebuild").usage_error()
    assert "--limit must be 1" in sluice("executions", "--limit", "0").usage_error()
    sluice("replay")
    stack = Stack(choose_target(STACK_NAME, None, None))
    assert [len(list_executions(stack, "replay", limit=most)) for most in (1, 2)] == [1, 2]


def test_an_execution_is_shown_with_input_and_output(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_output("Replay", REPLAY_REPORT, seconds=4)
    started = sluice("replay", "--json").document
    running = sluice("executions", started["execution"])
    assert (running.exit_code, ": running, " in running.stdout) == (0, True)
    ended = sluice("executions", started["execution"], "--wait")
    assert ended.exit_code == 0
    assert "complete: nothing remains" in ended.stdout
    document = sluice("executions", started["arn"], "--json").document
    assert (document["status"], document["output"]) == ("SUCCEEDED", REPLAY_REPORT)
    assert document["input"]["source"] == "batches"


def test_a_failed_or_incomplete_execution_has_exit_code_1(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_failure("Recover", "StillAway", "No primary took writes within a day.")
    name = sluice("recover", "--json").document["execution"]
    output = sluice("executions", name, "--wait")
    assert output.exit_code == 1
    assert f"recover failed with StillAway: No primary took writes within a day. (execution {name})" in output.stdout
    stub_stack.set_workflow_output("Replay", {**REPLAY_REPORT, "status": "incomplete", "remaining": 2})
    assert sluice("executions", sluice("replay", "--json").document["execution"], "--wait").exit_code == 1


def test_an_unknown_execution_is_a_usage_error(sluice: Sluice, stub_stack: StubStack) -> None:
    assert "There is no execution nope" in sluice("executions", "nope").usage_error()
    assert "There is no execution arn:nope" in sluice("executions", "arn:nope").usage_error()
    assert "--wait needs the name" in sluice("executions", "--wait").usage_error()


def test_a_stopped_restore_names_the_command_that_continues_it(sluice: Sluice, stub_stack: StubStack) -> None:
    """A restore that fails names it in its own message."""

    def stop_restore(state: dict[str, Any]) -> str:
        wait = {"Type": "Wait", "Seconds": 60, "End": True}
        plan = {"Type": "Pass", "Result": state, "Next": "Wait"}
        stub_stack.define_workflow("Restore", {"Plan": plan, "Wait": wait})
        started = sluice("restore", "--yes", STACK_NAME, "--json").document
        history = {"executionArn": started["arn"]}
        client = stub_stack.step_functions
        wait_until(lambda: len(client.get_execution_history(**history)["events"]) > 3)
        client.stop_execution(**history)
        output = sluice("executions", started["execution"], "--wait")
        assert output.exit_code == 1
        return output.stdout.splitlines()[1].partition(") ")[2]

    planned = {"stamp": "261130053407", "plan": {"kind": "snapshot"}}
    source = {"snapshot": "rds:old", "to": None, "delete_old_replicas": True}
    assert stop_restore({**planned, "request": source}) == (
        "Continue with `sluice restore --snapshot rds:old --delete-old-replicas --continue 261130053407`."
    )
    assert stop_restore({**planned, "request": {"to": "2026-11-29T03:00:00Z"}}) == (
        "Continue with `sluice restore --to 2026-11-29T03:00:00Z --continue 261130053407`."
    )
    assert stop_restore({**planned, "request": {"dry_run": True}}) == ""
    assert stop_restore({"stamp": "261130053407", "request": source}) == ""  # nothing was changed
