"""`sluice status` and `sluice executions`."""

import copy
import datetime
import json
from typing import Any

import pytest

from ops.aws import Stack, choose_target
from ops.commands.status import MAX_PENDING_SECONDS, list_advice
from ops.workflows import list_executions
from tests.emulator.harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import HEALTHY_DATABASE, REPLAY_REPORT, STACK_NAME, StubStack, build_verified_plan

AWAY: dict[str, Any] = {
    "primary": {"answers": False, "takes_writes": False, "reason": "DatabaseUnavailable: OperationalError 2003"},
    "replica": {
        "answers": True,
        "follows": False,
        "seconds": None,
        "reason": "DatabaseUnavailable: OperationalError 2003",
    },
    "ledger": None,
    "sentence": "The primary takes no writes; the replica does not follow.",
}


def test_all_is_well(sluice: Sluice, miniature: StubStack) -> None:
    said = sluice("status")
    assert said.exit_code == 0
    lines = dict(line.split("  ", 1) for line in said.stdout.splitlines())
    found = {name.strip(): value.strip() for name, value in lines.items()}
    assert found["stack"] == f"{STACK_NAME} in us-east-1"
    assert (found["primary"], found["replica"]) == ("takes writes", "follows, 0.2 s behind when asked")
    assert (found["loaded"], found["waiting"], found["parked"]) == ("12 batches", "0 batches", "0 batches")
    assert (found["rejects"], found["running"]) == ("0 writes", "no workflow")
    document = sluice("status", "--json").document
    assert (document["lag_seconds"], document["attention"], document["parked_exact"]) == (0.2, [], True)


def test_a_primary_that_is_away(sluice: Sluice, miniature: StubStack) -> None:
    miniature.responses["HealthCheck"] = AWAY
    miniature.set_response("Plan", verify={"raise": "DatabaseUnavailable", "said": "OperationalError 2003"})
    said = sluice("status")
    assert said.exit_code == 1
    assert "waiting       unknown while the primary is away" in said.stdout
    assert "The primary does not answer. Writes go on being accepted" in said.stdout
    document = sluice("status", "--json").document
    assert (document["waiting"], document["parked"], document["rejects"]) == (None, None, None)


@pytest.mark.parametrize(
    ("primary", "replica", "line"),
    [
        (True, {"answers": False, "follows": False, "reason": "gone"}, "replica       does not answer: gone"),
        (False, {"answers": False, "follows": False, "reason": "gone"}, "replica       does not answer: gone"),
        (True, {"answers": True, "follows": False, "reason": "behind"}, "replica       does not follow: behind"),
        (
            False,
            {"answers": True, "follows": False, "reason": ""},
            "replica       answers; whether it follows is unknown while the primary is away",
        ),
    ],
)
def test_what_the_replica_does(
    sluice: Sluice, miniature: StubStack, primary: bool, replica: dict[str, Any], line: str
) -> None:
    survey = copy.deepcopy(HEALTHY_DATABASE if primary else AWAY)
    survey["replica"] = {"seconds": None, **replica}
    miniature.responses["HealthCheck"] = survey
    miniature.set_response()
    assert line in sluice("status").stdout.splitlines()


def test_another_failure_is_told(sluice: Sluice, miniature: StubStack) -> None:
    miniature.set_response("Plan", verify={"raise": "Odd", "said": "withheld"})
    assert sluice("status").operation_error() == "PlanFunction failed with Odd: withheld"


def test_what_wants_attention_is_counted(sluice: Sluice, miniature: StubStack) -> None:
    survey = copy.deepcopy(HEALTHY_DATABASE)
    survey["ledger"]["rejected"] = 4
    miniature.responses["HealthCheck"] = survey
    miniature.set_response("Plan", verify=build_verified_plan("batches/a", "batches/b"))
    miniature.put_object("quarantine/batches/q.gz")
    for number in range(2):
        miniature.put_object(f"errors/processing-failed/2026/01/01/00/{number}")
    miniature.sqs.send_message(QueueUrl=miniature.outputs["EventDeadLettersUrl"], MessageBody="{}")
    said = sluice("status", "--json")
    assert said.exit_code == 1
    found = said.document
    assert (found["rejects"], found["quarantined"], found["undelivered"], found["dead_letters"]) == (4, 1, 2, 1)
    assert (found["waiting"]["batches"], found["waiting"]["bytes"]) == (2, 20)
    assert found["waiting"]["age_seconds"] > 0
    assert len(found["attention"]) == 5


def test_what_waits_is_asked_until_all_was_looked_at(sluice: Sluice, miniature: StubStack) -> None:
    miniature.set_response("Plan", verify=[{"verified": False}, build_verified_plan("batches/a")])
    assert sluice("status", "--json").document["waiting"]["batches"] == 1


def load_event(key: str) -> dict[str, Any]:
    return {"detail": {"bucket": {"name": "b"}, "object": {"key": key, "etag": "e"}}}


def park(miniature: StubStack, *keys: str, given: Any = None) -> None:
    machine = miniature.outputs["LoadStateMachineArn"]
    for event in [*map(load_event, keys), *([given] if given else [])]:
        miniature.step_functions.start_execution(stateMachineArn=machine, input=json.dumps(event))
    # The emulator reads the definition only when it comes to an execution.
    wait_until(lambda: all(one["status"] == "FAILED" for one in miniature.list_executions("Load")[: len(keys)]))


def test_parked_are_those_that_wait_still(sluice: Sluice, miniature: StubStack) -> None:
    miniature.set_workflow_failure("Load", "Parked", "away")
    park(miniature, "batches/a", "batches/a", "batches/loaded-since", given={"by": "hand"})
    miniature.set_workflow_failure("Load", "Quarantined", "unreadable")
    park(miniature, "batches/b")
    miniature.set_response("Plan", verify=build_verified_plan("batches/a", "batches/b"))
    found = sluice("status", "--json").document
    assert (found["parked"], found["parked_exact"]) == (1, True)
    assert found["attention"] == ["1 batch parked: `sluice recover --wait`."]
    miniature.set_response("Plan", verify=build_verified_plan("batches/a", "batches/b", objects=500))
    said = sluice("status")
    assert "parked        2 batches, about" in said.stdout
    miniature.set_response("Plan", verify=build_verified_plan())
    assert sluice("status", "--json").document["parked"] == 0


def status(**changes: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"batches": 0, "bytes": 0, "oldest": None, "age_seconds": None, "sample": []}
    return {
        "primary": HEALTHY_DATABASE["primary"],
        "replica": HEALTHY_DATABASE["replica"],
        "waiting": nothing,
        "loading": 0,
        "parked": 0,
        "quarantined": 0,
        "rejects": 0,
        "undelivered": 0,
        "dead_letters": 0,
        "running": {"replay": []},
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"primary": {"answers": True, "takes_writes": False, "reason": ""}}, "takes no writes"),
        ({"replica": {"answers": False, "follows": False, "reason": ""}}, "reads fail"),
        ({"replica": {"answers": True, "follows": False, "reason": ""}}, "reads are stale"),
        (
            {"waiting": {"batches": 1, "age_seconds": MAX_PENDING_SECONDS + 1}},
            "Nothing loads what waits for 15 min 1 s",
        ),
        ({"dead_letters": 1}, "1 event started nothing"),
        ({"parked": 2}, "2 batches parked: `sluice recover --wait`."),
        ({"parked": 2, "running": {"recover": ["r"]}}, "2 batches parked: a workflow is at work, see `sluice exec"),
    ],
)
def test_attention(changes: dict[str, Any], part: str) -> None:
    (sentence,) = list_advice(status(**changes))
    assert part in sentence


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"waiting": None, "rejects": None, "parked": None},
        {"waiting": {"batches": 1, "age_seconds": MAX_PENDING_SECONDS}},
        {"waiting": {"batches": 1, "age_seconds": MAX_PENDING_SECONDS + 1}, "loading": 1},
        {"waiting": {"batches": 1, "age_seconds": MAX_PENDING_SECONDS + 1}, "running": {"replay": ["r"]}},
    ],
)
def test_no_attention(changes: dict[str, Any]) -> None:
    assert list_advice(status(**changes)) == []


def test_executions_are_listed_the_latest_first(sluice: Sluice, miniature: StubStack) -> None:
    replay = sluice("replay", "--json").document["execution"]
    recover = sluice("recover", "--json").document["execution"]
    found = sluice("executions", "--json", "--limit", "2").document
    assert [one["execution"] for one in found] == [recover, replay]
    assert [one["execution"] for one in sluice("executions", "--json", "--limit", "1").document] == [recover]
    assert [one["workflow"] for one in found] == ["recover", "replay"]
    assert datetime.datetime.fromisoformat(found[0]["started"]).tzinfo is not None
    (line,) = sluice("executions", "--workflow", "replay", "--limit", "1").stdout.splitlines()[1:]
    assert line.endswith(f"replay    {replay}")
    assert sluice("executions", "--workflow", "replay", "--status", "timed_out").stdout == "no executions\n"
    assert "has no workflow rebuild" in sluice("executions", "--workflow", "rebuild").usage_error()
    assert "--limit must be 1" in sluice("executions", "--limit", "0").usage_error()
    sluice("replay")
    stack = Stack(choose_target(STACK_NAME, None, None))
    assert [len(list_executions(stack, "replay", limit=most)) for most in (1, 2)] == [1, 2]


def test_one_execution_is_shown_in_full(sluice: Sluice, miniature: StubStack) -> None:
    miniature.set_workflow_output("Replay", REPLAY_REPORT, seconds=4)
    started = sluice("replay", "--json").document
    running = sluice("executions", started["execution"])
    assert (running.exit_code, ": running, " in running.stdout) == (0, True)
    ended = sluice("executions", started["execution"], "--wait")
    assert ended.exit_code == 0
    assert "complete: nothing remains" in ended.stdout
    document = sluice("executions", started["arn"], "--json").document
    assert (document["status"], document["output"]) == ("SUCCEEDED", REPLAY_REPORT)
    assert document["input"]["source"] == "batches"


def test_one_execution_that_failed_or_left_something(sluice: Sluice, miniature: StubStack) -> None:
    miniature.set_workflow_failure("Recover", "StillAway", "No primary took writes within a day.")
    name = sluice("recover", "--json").document["execution"]
    said = sluice("executions", name, "--wait")
    assert said.exit_code == 1
    assert f"recover failed with StillAway: No primary took writes within a day. (execution {name})" in said.stdout
    miniature.set_workflow_output("Replay", {**REPLAY_REPORT, "status": "incomplete", "remaining": 2})
    assert sluice("executions", sluice("replay", "--json").document["execution"], "--wait").exit_code == 1


def test_no_such_execution(sluice: Sluice, miniature: StubStack) -> None:
    assert "There is no execution nope" in sluice("executions", "nope").usage_error()
    assert "There is no execution arn:nope" in sluice("executions", "arn:nope").usage_error()
    assert "--wait needs the name" in sluice("executions", "--wait").usage_error()
