"""The workflow recover on the emulator, with stub functions and a stub replay. The tests take every branch."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.template.branches import find_taken_branches, list_branches
from tests.template.running import (
    Run,
    Running,
    build_counting_function,
    build_inbox,
    build_state_machine,
    deploy_workflow,
    limit_retries,
    read_definition,
)

LEASE = """
    def handle(event, context):
        if "alert" in event:
            script = json.loads(pathlib.Path(os.environ["FOLDER"], "script").read_text())
            step = "record" if event.get("sent") else "ask"
            stumble(script.get(step), f"{script['run']}-{step}")
            pathlib.Path(os.environ["FOLDER"], f"{script['run']}-{step}-alert").write_text(event["alert"])
            return {"is_new": script.get("is_new", True)}
        script = event["request"]
        stumble(script.get("lease"), script["run"] + "-lease")
        holder = script.get("holder", event["execution"])
        return {
            "acquired": holder == event["execution"], "holder": holder, "script": script, "round": {"number": 1},
            "request": {"from": script, "min_age": 5},
        }
"""
# The event does not contain the script, so a file has it.
HEALTH_CHECK = """
    def handle(event, context):
        script = json.loads(pathlib.Path(os.environ["FOLDER"], "script").read_text())
        step = "probe" if event.get("probe") else "check"
        stumble(script.get(step), f"{script['run']}-{step}")
        return {"seconds": 7, "summary": "The primary accepts writes; the replica follows it."}
"""
REPLAY = """
    def handle(event, context):
        script = event["from"]
        attempt = stumble(script.get("replay"), script["run"] + "-replay")
        outputs = script.get("outputs", [{}])
        return {
            "status": "complete", "planned": 3, "loaded": 2, "already_loaded": 0, "quarantined": 1, "failed": 0,
            "remaining": 0, "remaining_digest": "d1", "stopped": False, "advice": "",
            "report": {"bucket": "bucket", "key": "replays/r/report.json"},
            "min_age": event["min_age"], "started_by": event["AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID"],
            **outputs[min(attempt, len(outputs)) - 1],
        }
"""
DEFINITION = read_definition("recover")
STOPPED = {"status": "incomplete", "stopped": True, "remaining": 3, "loaded": 0}
FAILED = {"status": "incomplete", "failed": 1, "remaining": 1, "loaded": 1}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("calls")
    work = {"Type": "Task", "Resource": "${Function}", "End": True}
    substitutions: dict[str, Any] = {
        "LeaseFunction": {"Fn::GetAtt": ["Lease", "Arn"]},
        "HealthCheckFunction": {"Fn::GetAtt": ["HealthCheck", "Arn"]},
        "Replay": {"Ref": "Replay"},
        "Alerts": {"Ref": "Alerts"},
    }
    resources = {
        "Lease": build_counting_function(LEASE, folder),
        "HealthCheck": build_counting_function(HEALTH_CHECK, folder),
        "Loads": build_counting_function(REPLAY, folder),
        "Replay": build_state_machine(
            {"StartAt": "Work", "States": {"Work": work}}, Function={"Fn::GetAtt": ["Loads", "Arn"]}
        ),
        **build_inbox(),
        "Patient": build_state_machine(DEFINITION, **substitutions),
        "Hasty": build_state_machine(limit_retries(DEFINITION), **substitutions),
        "Mute": build_state_machine(
            limit_retries(DEFINITION), **{**substitutions, "Alerts": "arn:aws:sns:us-east-1:000000000000:nowhere"}
        ),
    }
    with deploy_workflow("recover", resources, tmp_path_factory.mktemp("emulator"), folder) as running_workflows:
        yield running_workflows


class Recovery(Run):
    """A recovery. `asked` is the alert that it asked about, `recorded` the alert that it recorded as sent."""

    @property
    def checked_alert(self) -> str:
        return self._alert("ask")

    @property
    def recorded(self) -> str:
        return self._alert("record")

    def _alert(self, step: str) -> str:
        path = self.running.folder / f"{self.run}-{step}-alert"
        return path.read_text() if path.exists() else ""

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for message in self.running.messages() if self.execution in message["Message"]]


BEGINNING = ["AcquireLease", "IsLeaseHolder", "AwaitPrimary", "Replay", "EvaluateReplay"]
FAILING = [
    "CheckFailureAlert",
    "IsFailureAlertNew",
    "NotifyRetriesExhausted",
    "RecordFailureAlert",
    "RetriesExhausted",
]
NOTHING_MISSING = ["CheckUnsentAlert", "HasUnsentAlert", "NothingMissing"]


def test_missing_batches_are_replayed_and_reported(running: Running) -> None:
    run = Recovery(running)
    assert run.states == [
        *BEGINNING,
        "CheckHealth",
        "CheckAlertState",
        "IsComplete",
        "NotifyRecovered",
        "RecordRecoveredAlert",
        "Recovered",
    ]
    assert run.output["outcome"] == "recovered"
    assert run.output["replay"]["min_age"] == 5
    assert run.output["replay"]["started_by"] == run.execution
    [message] = run.messages
    assert message["Subject"] == "Sluice: recovered"
    assert message["Message"].startswith(
        "3 batches were missing: 2 are loaded now, 0 were loaded by other executions, 1 are in quarantine, and none "
        "remains. The recovery took 7 s, 7 of them waiting for the primary. "
        "The primary accepts writes; the replica follows it. "
        "Report: s3://bucket/replays/r/report.json."
    )


def test_with_nothing_missing_it_sends_no_alert(running: Running) -> None:
    run = Recovery(running, outputs=[{"planned": 0}], is_new=False)
    assert run.states == [*BEGINNING, *NOTHING_MISSING]
    assert (run.checked_alert, run.recorded) == ("none", "")
    assert run.output["outcome"] == "nothing_missing"
    assert run.messages == []


def test_with_nothing_missing_an_unavailable_alert_state_is_ignored(running: Running) -> None:
    run = Recovery(running, "Hasty", outputs=[{"planned": 0}], ask=["OSError!"])
    assert run.output["outcome"] == "nothing_missing"
    assert run.calls("ask") == 2


def test_while_another_recovery_runs_it_ends_at_once(running: Running) -> None:
    run = Recovery(running, holder="arn:another")
    assert run.states == ["AcquireLease", "IsLeaseHolder", "AnotherRecoveryRuns"]
    assert run.output == {"outcome": "already_running", "holder": "arn:another"}
    assert run.messages == []


def test_a_lease_conflict_is_retried(running: Running) -> None:
    run = Recovery(running, lease=["LockConflict"], outputs=[{"planned": 0}])
    assert run.output["outcome"] == "nothing_missing"
    assert run.calls("lease") == 2


def test_a_failed_lease_fails_the_recovery_with_its_error(running: Running) -> None:
    run = Recovery(running, "Hasty", lease=["KeyError!"])
    assert (run.end["error"], run.states) == ("KeyError", ["AcquireLease", "NotStarted"])


def test_an_invalid_input_is_not_retried(running: Running) -> None:
    run = Recovery(running, lease=["InvalidInput!"])
    assert run.end["error"] == "InvalidInput"
    assert run.calls("lease") == 1


@pytest.mark.parametrize(
    "error", ["DatabaseUnavailable", "LockConflict", "AccessDenied", "SchemaOutdated", "Lambda.Unknown"]
)
def test_it_waits_for_a_primary_that_accepts_writes(running: Running, error: str) -> None:
    run = Recovery(running, probe=[error, error], outputs=[{"planned": 0}])
    assert run.output["outcome"] == "nothing_missing"
    assert run.calls("probe") == 3


@pytest.mark.parametrize("error", ["DatabaseUnavailable", "KeyError"])
def test_it_fails_when_the_primary_stays_unavailable(running: Running, error: str) -> None:
    run = Recovery(running, "Hasty", probe=[f"{error}!"])
    assert run.end["error"] == "RetriesExhausted"
    assert error in run.end["cause"]
    assert run.states == ["AcquireLease", "IsLeaseHolder", "AwaitPrimary", *FAILING]
    [message] = run.messages
    assert message["Message"].startswith(f"The recovery used up its retries. The last error was {error}:")
    assert "a sentence" not in message["Message"]


def test_a_failed_replay_is_retried(running: Running) -> None:
    run = Recovery(running, replay=["DatabaseUnavailable"])
    assert run.output["outcome"] == "recovered"
    assert run.calls("replay") == 2


def test_a_replay_that_keeps_failing_ends_the_recovery_after_five_rounds(running: Running) -> None:
    run = Recovery(running, "Hasty", replay=["DatabaseUnavailable!"])
    assert run.end["error"] == "RetriesExhausted"
    next_round = ["Replay", "CanRetryAfterError", "NextRound", "AwaitPrimary"]
    assert run.states == [*BEGINNING[:3], *next_round * 4, "Replay", "CanRetryAfterError", *FAILING]
    assert run.calls("replay") == 10


def test_it_waits_again_for_a_database_that_becomes_unavailable(running: Running) -> None:
    run = Recovery(running, outputs=[STOPPED, {}])
    assert run.states[4:8] == ["EvaluateReplay", "NextRound", "AwaitPrimary", "Replay"]
    assert run.output["outcome"] == "recovered"


def test_it_does_not_wait_for_ever(running: Running) -> None:
    run = Recovery(running, outputs=[STOPPED])
    assert run.calls("replay") == 5
    assert run.end["error"] == "Incomplete"


def test_remaining_batches_fail_the_recovery_and_cause_an_alert(running: Running) -> None:
    run = Recovery(running, outputs=[FAILED])
    assert run.states == [
        *BEGINNING,
        "CheckHealth",
        "CheckAlertState",
        "IsComplete",
        "NotifyIncomplete",
        "RecordIncompleteAlert",
        "Incomplete",
    ]
    assert run.end["error"] == "Incomplete"
    assert run.end["cause"] == "1 of 3 missing batches remain; the report is s3://bucket/replays/r/report.json."
    [message] = run.messages
    assert "1 are loaded now, 1 could not be loaded, and 1 remain" in message["Message"]


@pytest.mark.parametrize(
    ("script", "alert", "end"),
    [
        ({"outputs": [FAILED]}, "incomplete d1", "Incomplete"),
        ({"probe": ["KeyError!"]}, "retries exhausted with KeyError", "RetriesExhausted"),
    ],
)
def test_the_same_alert_is_not_sent_twice(running: Running, script: Any, alert: str, end: str) -> None:
    run = Recovery(running, "Hasty", is_new=False, **script)
    assert (run.end["error"], run.states[-1]) == (end, end)
    assert run.messages == []
    assert (run.checked_alert, run.recorded) == (alert, "")


def test_a_completed_recovery_is_always_reported(running: Running) -> None:
    run = Recovery(running, is_new=False)
    assert [message["Subject"] for message in run.messages] == ["Sluice: recovered"]


@pytest.mark.parametrize("script", [{"outputs": [FAILED]}, {"probe": ["KeyError!"]}])
def test_with_an_unavailable_alert_state_the_alert_is_sent(running: Running, script: Any) -> None:
    run = Recovery(running, "Hasty", ask=["OSError!"], **script)
    assert run.calls("ask") == 2
    assert len(run.messages) == 1


def test_the_health_check_is_retried(running: Running) -> None:
    run = Recovery(running, check=["Lambda.Unknown"])
    assert run.calls("check") == 2
    assert run.output["database"]["summary"].startswith("The primary accepts writes")


def test_a_failed_health_check_is_reported(running: Running) -> None:
    run = Recovery(running, "Hasty", check=["KeyError!"])
    assert run.states[5:7] == ["CheckHealth", "HealthUnknown"]
    assert run.output["outcome"] == "recovered"
    assert "could not be checked" in run.messages[0]["Message"]


@pytest.mark.parametrize(
    ("script", "end"),
    [({}, "Recovered"), ({"outputs": [FAILED]}, "Incomplete"), ({"probe": ["KeyError!"]}, "RetriesExhausted")],
)
def test_a_message_that_cannot_be_sent_changes_nothing(running: Running, script: dict[str, Any], end: str) -> None:
    run = Recovery(running, "Mute", **script)
    assert run.states[-2:] == [f"Notify{end}", end]
    assert run.recorded == ""


@pytest.mark.parametrize(
    ("script", "alert", "end"),
    [
        ({}, "none", "Recovered"),
        ({"outputs": [FAILED]}, "incomplete d1", "Incomplete"),
        ({"probe": ["KeyError!"]}, "retries exhausted with KeyError", "RetriesExhausted"),
    ],
)
def test_an_alert_counts_as_sent_when_sns_accepts_it(running: Running, script: Any, alert: str, end: str) -> None:
    run = Recovery(running, "Hasty", **script)
    assert run.states[-3:] == [f"Notify{end}", f"Record{'Failure' if end == 'RetriesExhausted' else end}Alert", end]
    assert run.recorded == alert
    run = Recovery(running, "Hasty", record=["OSError!"], **script)
    assert (run.states[-1], run.calls("record"), run.recorded) == (end, 2, "")


def test_an_unsent_alert_is_sent_later_when_nothing_is_missing(running: Running) -> None:
    run = Recovery(running, outputs=[{"planned": 0}])
    late = [*NOTHING_MISSING[:-1], "NotifyDelayed", "RecordDelayedAlert", "NothingMissing"]
    assert run.states == [*BEGINNING, *late]
    assert [message["Subject"] for message in run.messages] == ["Sluice: nothing is missing"]
    assert (run.checked_alert, run.recorded) == ("none", "none")
    assert run.output["outcome"] == "nothing_missing"
    run = Recovery(running, "Hasty", outputs=[{"planned": 0}], record=["OSError!"])
    assert (run.output["outcome"], run.recorded) == ("nothing_missing", "")
    run = Recovery(running, "Mute", outputs=[{"planned": 0}])
    assert run.states[-2:] == ["NotifyDelayed", "NothingMissing"]
    assert run.recorded == ""


@pytest.mark.parametrize(("more", "end"), [({"planned": 0}, "recovered"), (FAILED, "recovery incomplete")])
def test_an_advice_is_part_of_the_alert(running: Running, more: Any, end: str) -> None:
    run = Recovery(running, outputs=[{**more, "advice": "Rebuild."}])
    [message] = run.messages
    assert message["Subject"] == f"Sluice: {end}"
    assert message["Message"].endswith(" Rebuild.")


@pytest.mark.usefixtures("all_of_module")
def test_every_branch_was_taken(running: Running) -> None:
    """Runs last: it checks which branches the tests above took."""
    seen = {branch for history in running.histories() for branch in find_taken_branches(DEFINITION, history)}
    assert list_branches(DEFINITION) - seen == set()
