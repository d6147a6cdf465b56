"""`sluice status` and `sluice executions`."""

import copy
import datetime
import json
from typing import Any

import pytest

from ops.attention import LONG, attention
from ops.stack import Stack
from ops.target import choose
from ops.workflows import listed
from tests.emulator.harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.miniature import HEALTHY, NAME, REPORT, Miniature, remaining

AWAY: dict[str, Any] = {
    "primary": {"answers": False, "takes_writes": False, "reason": "DatabaseAway: OperationalError 2003"},
    "replica": {"answers": True, "follows": False, "seconds": None, "reason": "DatabaseAway: OperationalError 2003"},
    "ledger": None,
    "sentence": "The primary takes no writes; the replica does not follow.",
}


def test_all_is_well(sluice: Sluice, miniature: Miniature) -> None:
    said = sluice("status")
    assert said.code == 0
    lines = dict(line.split("  ", 1) for line in said.out.splitlines())
    found = {name.strip(): value.strip() for name, value in lines.items()}
    assert found["stack"] == f"{NAME} in us-east-1"
    assert (found["primary"], found["replica"]) == ("takes writes", "follows, 0.2 s behind when asked")
    assert (found["loaded"], found["waiting"], found["parked"]) == ("12 batches", "0 batches", "0 batches")
    assert (found["rejects"], found["running"]) == ("0 writes", "no workflow")
    document = sluice("status", "--json").document
    assert (document["lag_seconds"], document["attention"], document["parked_exact"]) == (0.2, [], True)


def test_a_primary_that_is_away(sluice: Sluice, miniature: Miniature) -> None:
    miniature.answers["Survey"] = AWAY
    miniature.answer("Plan", verify={"raise": "DatabaseAway", "said": "OperationalError 2003"})
    said = sluice("status")
    assert said.code == 1
    assert "waiting       unknown while the primary is away" in said.out
    assert "The primary does not answer. Writes go on being accepted" in said.out
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
    sluice: Sluice, miniature: Miniature, primary: bool, replica: dict[str, Any], line: str
) -> None:
    survey = copy.deepcopy(HEALTHY if primary else AWAY)
    survey["replica"] = {"seconds": None, **replica}
    miniature.answers["Survey"] = survey
    miniature.answer()
    assert line in sluice("status").out.splitlines()


def test_another_failure_is_told(sluice: Sluice, miniature: Miniature) -> None:
    miniature.answer("Plan", verify={"raise": "Odd", "said": "withheld"})
    assert sluice("status").failure() == "PlanFunction failed with Odd: withheld"


def test_what_wants_attention_is_counted(sluice: Sluice, miniature: Miniature) -> None:
    survey = copy.deepcopy(HEALTHY)
    survey["ledger"]["rejected"] = 4
    miniature.answers["Survey"] = survey
    miniature.answer("Plan", verify=remaining("batches/a", "batches/b"))
    miniature.put("quarantine/batches/q.gz")
    for number in range(2):
        miniature.put(f"errors/processing-failed/2026/01/01/00/{number}")
    miniature.sqs.send_message(QueueUrl=miniature.outputs["EventDeadLettersUrl"], MessageBody="{}")
    said = sluice("status", "--json")
    assert said.code == 1
    found = said.document
    assert (found["rejects"], found["quarantined"], found["undelivered"], found["dead_letters"]) == (4, 1, 2, 1)
    assert (found["waiting"]["batches"], found["waiting"]["bytes"]) == (2, 20)
    assert found["waiting"]["age_seconds"] > 0
    assert len(found["attention"]) == 5


def test_what_waits_is_asked_until_all_was_looked_at(sluice: Sluice, miniature: Miniature) -> None:
    miniature.answer("Plan", verify=[{"verified": False}, remaining("batches/a")])
    assert sluice("status", "--json").document["waiting"]["batches"] == 1


def load_event(key: str) -> dict[str, Any]:
    return {"detail": {"bucket": {"name": "b"}, "object": {"key": key, "etag": "e"}}}


def park(miniature: Miniature, *keys: str, given: Any = None) -> None:
    machine = miniature.outputs["LoadStateMachineArn"]
    for event in [*map(load_event, keys), *([given] if given else [])]:
        miniature.states.start_execution(stateMachineArn=machine, input=json.dumps(event))
    # The emulator reads the definition only when it comes to an execution.
    wait_until(lambda: all(one["status"] == "FAILED" for one in miniature.executions("Load")[: len(keys)]))


def test_parked_are_those_that_wait_still(sluice: Sluice, miniature: Miniature) -> None:
    miniature.fails("Load", "Parked", "away")
    park(miniature, "batches/a", "batches/a", "batches/loaded-since", given={"by": "hand"})
    miniature.fails("Load", "Quarantined", "unreadable")
    park(miniature, "batches/b")
    miniature.answer("Plan", verify=remaining("batches/a", "batches/b"))
    found = sluice("status", "--json").document
    assert (found["parked"], found["parked_exact"]) == (1, True)
    assert found["attention"] == ["1 batch parked: `sluice recover --wait`."]
    miniature.answer("Plan", verify=remaining("batches/a", "batches/b", objects=500))
    said = sluice("status")
    assert "parked        2 batches, about" in said.out
    miniature.answer("Plan", verify=remaining())
    assert sluice("status", "--json").document["parked"] == 0


def status(**changes: Any) -> dict[str, Any]:
    nothing: dict[str, Any] = {"batches": 0, "bytes": 0, "oldest": None, "age_seconds": None, "sample": []}
    return {
        "primary": HEALTHY["primary"],
        "replica": HEALTHY["replica"],
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
        ({"waiting": {"batches": 1, "age_seconds": LONG + 1}}, "Nothing loads what waits for 15 min 1 s"),
        ({"dead_letters": 1}, "1 event started nothing"),
        ({"parked": 2}, "2 batches parked: `sluice recover --wait`."),
        ({"parked": 2, "running": {"recover": ["r"]}}, "2 batches parked: a workflow is at work, see `sluice exec"),
    ],
)
def test_attention(changes: dict[str, Any], part: str) -> None:
    (sentence,) = attention(status(**changes))
    assert part in sentence


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"waiting": None, "rejects": None, "parked": None},
        {"waiting": {"batches": 1, "age_seconds": LONG}},
        {"waiting": {"batches": 1, "age_seconds": LONG + 1}, "loading": 1},
        {"waiting": {"batches": 1, "age_seconds": LONG + 1}, "running": {"replay": ["r"]}},
    ],
)
def test_no_attention(changes: dict[str, Any]) -> None:
    assert attention(status(**changes)) == []


def test_executions_are_listed_the_latest_first(sluice: Sluice, miniature: Miniature) -> None:
    replay = sluice("replay", "--json").document["execution"]
    recover = sluice("recover", "--json").document["execution"]
    found = sluice("executions", "--json", "--limit", "2").document
    assert [one["execution"] for one in found] == [recover, replay]
    assert [one["execution"] for one in sluice("executions", "--json", "--limit", "1").document] == [recover]
    assert [one["workflow"] for one in found] == ["recover", "replay"]
    assert datetime.datetime.fromisoformat(found[0]["started"]).tzinfo is not None
    (line,) = sluice("executions", "--workflow", "replay", "--limit", "1").out.splitlines()[1:]
    assert line.endswith(f"replay    {replay}")
    assert sluice("executions", "--workflow", "replay", "--status", "timed_out").out == "no executions\n"
    assert "has no workflow rebuild" in sluice("executions", "--workflow", "rebuild").mistake()
    assert "--limit must be 1" in sluice("executions", "--limit", "0").mistake()
    sluice("replay")
    stack = Stack(choose(NAME, None, None))
    assert [len(listed(stack, "replay", most=most)) for most in (1, 2)] == [1, 2]


def test_one_execution_is_shown_in_full(sluice: Sluice, miniature: Miniature) -> None:
    miniature.gives("Replay", REPORT, seconds=4)
    started = sluice("replay", "--json").document
    running = sluice("executions", started["execution"])
    assert (running.code, ": running, " in running.out) == (0, True)
    ended = sluice("executions", started["execution"], "--wait")
    assert ended.code == 0
    assert "complete: nothing remains" in ended.out
    document = sluice("executions", started["arn"], "--json").document
    assert (document["status"], document["output"]) == ("SUCCEEDED", REPORT)
    assert document["input"]["source"] == "batches"


def test_one_execution_that_failed_or_left_something(sluice: Sluice, miniature: Miniature) -> None:
    miniature.fails("Recover", "StillAway", "No primary took writes within a day.")
    name = sluice("recover", "--json").document["execution"]
    said = sluice("executions", name, "--wait")
    assert said.code == 1
    assert f"recover failed with StillAway: No primary took writes within a day. (execution {name})" in said.out
    miniature.gives("Replay", {**REPORT, "status": "incomplete", "remaining": 2})
    assert sluice("executions", sluice("replay", "--json").document["execution"], "--wait").code == 1


def test_no_such_execution(sluice: Sluice, miniature: Miniature) -> None:
    assert "There is no execution nope" in sluice("executions", "nope").mistake()
    assert "There is no execution arn:nope" in sluice("executions", "arn:nope").mistake()
    assert "--wait needs the name" in sluice("executions", "--wait").mistake()
