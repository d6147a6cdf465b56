"""The workflow restore on the emulator, with stub functions and a stub recovery. The tests take every branch."""

import json
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

# A file has the script, because not every event contains it: the errors by step, and what else the functions return.
SCRIPT = """
    def script():
        return json.loads(pathlib.Path(os.environ["FOLDER"], "script").read_text())

    def step(name):
        return stumble(script().get("errors", {}).get(name), f"{script()['run']}-{name}")
"""
LEASE = (
    SCRIPT
    + """
    def handle(event, context):
        assert event["workflow"] == "restore"
        step("lease")
        request = {"dry_run": False, "delete_old_replicas": False, **event["request"]}
        name = event["execution"].rsplit(":", 1)[-1]
        return {"name": name, "stamp": "261129041500", "began": "now", "request": request, "next": {"number": 1}}
"""
)
RESTORE = (
    SCRIPT
    + """
    PLAN = ("kind", "stamp", "primary", "candidate", "lost", "source", "moment", "has_lost_instance", "settings_of",
            "replicas", "notices", "summary")
    RESULTS = {
        "plan": {name: name for name in PLAN}, "prepare": {"instance": "new"}, "configure": {"changes": []},
        "await_primary": {"instance": "new"}, "put_aside": {"lost": "lost"}, "take_identifier": {"host": "host"},
        "set_password": {"is_set": True}, "delete_old_replicas": {"deleted": ["old"]},
    }

    def handle(event, context):
        name, state = event["step"], event["state"]
        step(name)
        if name == "replace_replica":
            number = state["next"]["number"]
            return {"is_done": number > script().get("replicas", 2), "name": f"replica-{number}"}
        if name == "report":
            return {"status": "complete", "summary": "All is well.", "report": {"bucket": "b", "key": "k"},
                    "state": state}
        if name == "describe_failure":
            return {"reason": f"It failed with {state['error']['Error']}."}
        return RESULTS[name]
"""
)
MIGRATE = (
    SCRIPT
    + """
    def handle(event, context):
        assert event == {"new_epoch": True}
        step("migrate")
        return {"done": []}
"""
)
HEALTH_CHECK = (
    SCRIPT
    + """
    def handle(event, context):
        kind = "heartbeat" if "heartbeat" in event else event.get("replica", "check")
        step(kind)
        return {"summary": "healthy"}
"""
)
RECOVER = (
    SCRIPT
    + """
    def handle(event, context):
        assert event["trigger"] == "operator", event
        attempt = step("recover")
        outcomes = script().get("outcomes", ["recovered"])
        return {"outcome": outcomes[min(attempt, len(outcomes)) - 1], "replay": {}}
"""
)
DEFINITION = read_definition("restore")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("calls")
    functions = {"Lease": LEASE, "Restore": RESTORE, "Migrate": MIGRATE, "HealthCheck": HEALTH_CHECK}
    substitutions: dict[str, Any] = {f"{name}Function": {"Fn::GetAtt": [name, "Arn"]} for name in functions}
    substitutions |= {"Recover": {"Ref": "Recover"}, "Alerts": {"Ref": "Alerts"}}
    work = {"Type": "Task", "Resource": "${Function}", "End": True}
    quick = limit_retries(DEFINITION)
    quick["States"]["AwaitOtherRecovery"]["Seconds"] = 1
    resources = {
        **{name: build_counting_function(code, folder) for name, code in functions.items()},
        "Recoveries": build_counting_function(RECOVER, folder),
        "Recover": build_state_machine(
            {"StartAt": "Work", "States": {"Work": work}}, Function={"Fn::GetAtt": ["Recoveries", "Arn"]}
        ),
        **build_inbox(),
        "Mute": build_state_machine(quick, **{**substitutions, "Alerts": "arn:aws:sns:us-east-1:000000000000:nowhere"}),
        "Patient": build_state_machine(DEFINITION, **substitutions),
        "Hasty": build_state_machine(quick, **substitutions),
    }
    with deploy_workflow("restore", resources, tmp_path_factory.mktemp("emulator"), folder) as running_workflows:
        yield running_workflows


class Restore(Run):
    """A restore; without an argument its input is empty."""

    def __init__(self, running: Running, machine: str = "Hasty", execution_input: Any = None, **script: Any) -> None:
        super().__init__(running, machine, execution_input or {}, **script)

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Subject and text of its alerts."""
        name = self.execution.rsplit(":", 1)[-1]
        named_messages = [message for message in self.running.messages() if name in message["Message"]]
        return [(message["Subject"], message["Message"]) for message in named_messages]


BEGINNING = ["AcquireLease", "Plan", "IsDryRun"]
SWITCHING = [
    "PreparePrimary",
    "ConfigurePrimary",
    "AwaitSettings",
    "PutLostAside",
    "TakeIdentifier",
    "SetPassword",
    "AwaitPassword",
    "Migrate",
]
RECOVERING = ["Recover", "IsRecovered"]
REPLACING = ["ReplaceReplica", "HasReplaced", "AwaitReplica", "NextReplica"]
REPLACED = ["ReplaceReplica", "HasReplaced", "ReplicasReplaced", "MayDelete"]
END = ["CheckHealth", "Report", "NotifyRestored", "Restored"]
FAILING = ["DescribeFailure", "NotifyFailed", "FailedWithReason"]


def test_the_primary_is_switched_over_and_the_replicas_are_replaced_one_at_a_time(running: Running) -> None:
    run = Restore(running, "Patient")
    assert run.states == [
        *BEGINNING, *SWITCHING, *RECOVERING, "RefreshMoment", *REPLACING, *REPLACING, *REPLACED, *END
    ]  # fmt: skip
    state = run.output["state"]
    assert (state["plan"]["candidate"], state["password"], state["recovery"]["output"]["outcome"]) == (
        "candidate",
        {"is_set": True},
        "recovered",
    )
    assert (run.calls("replica-1"), run.calls("replica-2"), run.calls("replica-3")) == (1, 1, 0)
    [(subject, message)] = run.messages
    assert (subject, message.startswith("All is well. Report: s3://b/k.")) == ("Sluice: restore complete", True)


def test_a_dry_run_ends_with_the_plan(running: Running) -> None:
    run = Restore(running, execution_input={"dry_run": True})
    assert run.states == [*BEGINNING, "Planned"]
    assert (run.output["status"], run.output["plan"]["summary"]) == ("planned", "summary")


def test_a_refused_dry_run_alerts_nobody(running: Running) -> None:
    run = Restore(running, execution_input={"dry_run": True}, errors={"plan": ["RestoreRefused!"]})
    assert run.states == ["AcquireLease", "Plan", "IsRehearsal", "Failed"]
    assert (run.end["error"], json.loads(run.end["cause"])["errorMessage"]) == ("RestoreRefused", "a sentence")
    assert run.messages == []


def test_old_replicas_are_deleted_on_request(running: Running) -> None:
    run = Restore(running, execution_input={"delete_old_replicas": True}, replicas=0)
    assert run.states[-6:] == ["MayDelete", "DeleteOldReplicas", *END]
    assert run.output["state"]["deleted"] == {"deleted": ["old"]}


@pytest.mark.parametrize("error", ["InvalidInput", "FutureTime", "RestoreInProgress"])
def test_an_invalid_input_is_not_retried(running: Running, error: str) -> None:
    run = Restore(running, "Patient", errors={"lease": [f"{error}!"]})
    assert (run.end["error"], run.states, run.calls("lease")) == (error, ["AcquireLease", "NotStarted"], 1)


def test_a_lease_conflict_is_retried(running: Running) -> None:
    run = Restore(running, errors={"lease": ["LockConflict"]}, replicas=0)
    assert (run.end["status"], run.calls("lease")) == ("SUCCEEDED", 2)


STEPS = [
    "plan", "prepare", "configure", "await_primary", "put_aside", "take_identifier", "set_password", "replace_replica",
    "delete_old_replicas",
]  # fmt: skip
DELETING = {"delete_old_replicas": True}


@pytest.mark.parametrize("error", ["InstanceBusy", "Lambda.Unknown"])
def test_a_step_waits_for_rds(running: Running, error: str) -> None:
    run = Restore(running, execution_input=DELETING, errors={step: [error] for step in STEPS}, replicas=1)
    assert run.end["status"] == "SUCCEEDED"
    # Two states wait for the primary, and two more ask for a replica.
    assert [run.calls(step) for step in STEPS] == [2, 2, 2, 3, 2, 2, 2, 3, 2]


HOPELESS = ["RestoreRefused", "InstanceFailed", "NotRestorable", "InstanceNotFound", "SnapshotNotFound"]


@pytest.mark.parametrize("error", HOPELESS)
@pytest.mark.parametrize("step", STEPS)
def test_what_no_retry_changes_is_not_retried(running: Running, step: str, error: str) -> None:
    run = Restore(running, execution_input=DELETING, errors={step: [f"{error}!"]}, replicas=1)
    assert (run.calls(step), run.end["error"], run.end["cause"]) == (1, error, f"It failed with {error}.")
    if step == "plan":
        assert run.states[-4:] == ["IsRehearsal", *FAILING]
    else:
        assert run.states[-3:] == FAILING


@pytest.mark.parametrize("error", ["InstanceBusy", "Lambda.Unknown"])
def test_the_primary_is_awaited_after_its_password_was_set(running: Running, error: str) -> None:
    run = Restore(running, errors={"await_primary": ["", error]}, replicas=0)
    assert (run.end["status"], run.calls("await_primary")) == ("SUCCEEDED", 3)


@pytest.mark.parametrize("error", HOPELESS)
def test_a_primary_that_fails_after_its_password_was_set_is_not_awaited(running: Running, error: str) -> None:
    run = Restore(running, errors={"await_primary": ["", f"{error}!"]})
    assert (run.calls("await_primary"), run.end["error"]) == (2, error)
    assert run.states[-4:] == ["AwaitPassword", *FAILING]


def test_a_failure_is_reported_with_its_reason(running: Running) -> None:
    run = Restore(running, errors={"await_primary": ["", "InstanceFailed!"]})
    assert run.states[-4:] == ["AwaitPassword", *FAILING]
    [(subject, message)] = run.messages
    assert (subject, message.startswith("It failed with InstanceFailed.")) == ("Sluice: restore failed", True)


def test_a_failure_that_cannot_be_described_is_reported_too(running: Running) -> None:
    run = Restore(running, errors={"prepare": ["InstanceFailed!"], "describe_failure": ["OSError!"]})
    assert run.states[-4:] == ["DescribeFailure", "FailureNotDescribed", *FAILING[1:]]
    [(_, message)] = run.messages
    assert "No accepted write is lost" in message
    assert "--continue 261129041500" in message
    assert run.calls("describe_failure") == 2
    run = Restore(running, errors={"prepare": ["InstanceFailed!"], "describe_failure": ["OSError"]})
    assert run.states[-3:] == FAILING


@pytest.mark.parametrize(
    ("step", "state"),
    [("migrate", "Migrate"), ("recover", "Recover"), ("replica-2", "AwaitReplica"), ("check", "CheckHealth"),
     ("report", "Report")],
)  # fmt: skip
def test_a_step_of_another_function_is_retried_and_then_fails_the_restore(
    running: Running, step: str, state: str
) -> None:
    run = Restore(running, errors={step: ["KeyError"]})
    assert (run.end["status"], run.calls(step)) == ("SUCCEEDED", 2)
    run = Restore(running, errors={step: ["KeyError!"]})
    assert run.states[-4:] == [state, *FAILING]


@pytest.mark.parametrize("error", ["DatabaseUnavailable", "LockConflict", "AccessDenied", "SchemaOutdated"])
def test_it_waits_for_a_replica_that_follows(running: Running, error: str) -> None:
    run = Restore(running, errors={"replica-1": [error]})
    assert (run.end["status"], run.calls("replica-1")) == ("SUCCEEDED", 2)


def test_a_recovery_that_rds_started_is_awaited_before_its_own(running: Running) -> None:
    run = Restore(running, outcomes=["already_running", "nothing_missing"], replicas=0)
    assert run.states[11:16] == [*RECOVERING, "AwaitOtherRecovery", *RECOVERING]
    assert run.output["state"]["recovery"]["output"]["outcome"] == "nothing_missing"


def test_a_moment_that_cannot_be_refreshed_is_left_to_the_heartbeat(running: Running) -> None:
    run = Restore(running, errors={"heartbeat": ["KeyError!"]}, replicas=0)
    assert (run.end["status"], run.calls("heartbeat")) == ("SUCCEEDED", 2)
    run = Restore(running, errors={"heartbeat": ["KeyError"]}, replicas=0)
    assert (run.end["status"], run.calls("heartbeat")) == ("SUCCEEDED", 2)


def test_a_message_that_cannot_be_sent_changes_nothing(running: Running) -> None:
    assert Restore(running, "Mute", replicas=0).states[-2:] == ["NotifyRestored", "Restored"]
    run = Restore(running, "Mute", errors={"prepare": ["InstanceFailed!"]})
    assert run.states[-2:] == ["NotifyFailed", "FailedWithReason"]


@pytest.mark.usefixtures("all_of_module")
def test_every_branch_was_taken(running: Running) -> None:
    """Runs last: it checks which branches the tests above took."""
    seen = {branch for history in running.histories() for branch in find_taken_branches(DEFINITION, history)}
    assert list_branches(DEFINITION) - seen == set()
