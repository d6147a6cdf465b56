"""recover on the emulator, with small functions and a small replay in place of its own: each way is taken."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.template.branches import branches, taken
from tests.template.running import Run, Running, counting, definition, deployed, hasty, inbox, machine

CLAIM = """
    def handle(event, context):
        if "about" in event:
            script = json.loads(pathlib.Path(os.environ["FOLDER"], "script").read_text())
            step = "told" if event.get("told") else "tell"
            stumble(script.get(step), f"{script['run']}-{step}")
            pathlib.Path(os.environ["FOLDER"], f"{script['run']}-{step}-about").write_text(event["about"])
            return {"news": script.get("news", True)}
        script = event["request"]
        stumble(script.get("claim"), script["run"] + "-claim")
        holder = script.get("holder", event["execution"])
        return {
            "claimed": holder == event["execution"], "holder": holder, "script": script, "round": {"number": 1},
            "request": {"from": script, "min_age": 5},
        }
"""
# It cannot see the script: the run is in the execution's start time only. So the probes' errors are those of a file.
SURVEY = """
    def handle(event, context):
        script = json.loads(pathlib.Path(os.environ["FOLDER"], "script").read_text())
        step = "probe" if event.get("probe") else "look"
        stumble(script.get(step), f"{script['run']}-{step}")
        return {"seconds": 7, "sentence": "The primary takes writes; the replica follows it."}
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
DEFINITION = definition("recover")
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
        "Lease": counting(CLAIM, folder),
        "HealthCheck": counting(SURVEY, folder),
        "Loads": counting(REPLAY, folder),
        "Replay": machine({"StartAt": "Work", "States": {"Work": work}}, Function={"Fn::GetAtt": ["Loads", "Arn"]}),
        **inbox(),
        "Patient": machine(DEFINITION, **substitutions),
        "Hasty": machine(hasty(DEFINITION), **substitutions),
        "Mute": machine(hasty(DEFINITION), **{**substitutions, "Alerts": "arn:aws:sns:us-east-1:000000000000:nowhere"}),
    }
    with deployed("recover", resources, tmp_path_factory.mktemp("emulator"), folder) as found:
        yield found


class Recovery(Run):
    """A recovery, and what it told. `asked` is what it wanted to tell about, `told` what it said that it told."""

    @property
    def asked(self) -> str:
        return self._about("tell")

    @property
    def told(self) -> str:
        return self._about("told")

    def _about(self, step: str) -> str:
        path = self.running.folder / f"{self.run}-{step}-about"
        return path.read_text() if path.exists() else ""

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [message for message in self.running.messages() if self.execution in message["Message"]]


BEGINNING = ["Lease", "IsLeaseHolder", "AwaitPrimary", "Replay", "EvaluateReplay"]
GIVING_UP = [
    "CheckFailureAlert",
    "IsFailureAlertNew",
    "NotifyRetriesExhausted",
    "RecordFailureAlert",
    "RetriesExhausted",
]
NOTHING_MISSING = ["CheckUnsentAlert", "HasUnsentAlert", "NothingMissing"]


def test_what_was_missing_is_replayed_and_told(running: Running) -> None:
    run = Recovery(running)
    assert run.states == [
        *BEGINNING,
        "Look",
        "CheckAlertState",
        "Whole",
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
        "3 batches were missing; 2 are loaded now, 0 were loaded by others meanwhile, 1 are in quarantine, and none "
        "remains. It took 7 s, 7 of them to wait for the primary. The primary takes writes; the replica follows it. "
        "Report: s3://bucket/replays/r/report.json."
    )


def test_with_nothing_missing_it_ends_without_a_word(running: Running) -> None:
    run = Recovery(running, outputs=[{"planned": 0}], news=False)
    assert run.states == [*BEGINNING, *NOTHING_MISSING]
    assert (run.asked, run.told) == ("nothing", "")
    assert run.output["outcome"] == "nothing_missing"
    assert run.messages == []


def test_with_nothing_missing_it_does_not_matter_whether_that_can_be_kept(running: Running) -> None:
    run = Recovery(running, "Hasty", outputs=[{"planned": 0}], tell=["OSError!"])
    assert run.output["outcome"] == "nothing_missing"
    assert run.calls("tell") == 2


def test_while_another_one_is_at_work_it_stands_by(running: Running) -> None:
    run = Recovery(running, holder="arn:another")
    assert run.states == ["Lease", "IsLeaseHolder", "AnotherRecoveryRuns"]
    assert run.output == {"outcome": "already_running", "holder": "arn:another"}
    assert run.messages == []


def test_claiming_is_tried_again(running: Running) -> None:
    run = Recovery(running, claim=["LockConflict"], outputs=[{"planned": 0}])
    assert run.output["outcome"] == "nothing_missing"
    assert run.calls("claim") == 2


def test_what_cannot_be_claimed_fails_by_its_name(running: Running) -> None:
    run = Recovery(running, "Hasty", claim=["KeyError!"])
    assert (run.end["error"], run.states) == ("KeyError", ["Lease", "NotStarted"])


def test_a_wrong_input_is_not_tried_again(running: Running) -> None:
    run = Recovery(running, claim=["InvalidInput!"])
    assert run.end["error"] == "InvalidInput"
    assert run.calls("claim") == 1


@pytest.mark.parametrize(
    "error", ["DatabaseUnavailable", "LockConflict", "AccessDenied", "SchemaOutdated", "Lambda.Unknown"]
)
def test_it_waits_for_a_primary_that_takes_writes(running: Running, error: str) -> None:
    run = Recovery(running, probe=[error, error], outputs=[{"planned": 0}])
    assert run.output["outcome"] == "nothing_missing"
    assert run.calls("probe") == 3


@pytest.mark.parametrize("error", ["DatabaseUnavailable", "KeyError"])
def test_it_gives_up_when_none_comes(running: Running, error: str) -> None:
    run = Recovery(running, "Hasty", probe=[f"{error}!"])
    assert run.end["error"] == "RetriesExhausted"
    assert error in run.end["cause"]
    assert run.states == ["Lease", "IsLeaseHolder", "AwaitPrimary", *GIVING_UP]
    [message] = run.messages
    assert message["Message"].startswith(f"The recovery gave up with {error}:")
    assert "a sentence" not in message["Message"]


def test_a_replay_that_fails_is_run_again(running: Running) -> None:
    run = Recovery(running, replay=["DatabaseUnavailable"])
    assert run.output["outcome"] == "recovered"
    assert run.calls("replay") == 2


def test_a_replay_that_goes_on_failing_is_given_up_after_five_rounds(running: Running) -> None:
    run = Recovery(running, "Hasty", replay=["DatabaseUnavailable!"])
    assert run.end["error"] == "RetriesExhausted"
    once_more = ["Replay", "CanRetryAfterError", "NextRound", "AwaitPrimary"]
    assert run.states == [*BEGINNING[:3], *once_more * 4, "Replay", "CanRetryAfterError", *GIVING_UP]
    assert run.calls("replay") == 10


def test_a_database_that_goes_away_on_the_way_is_waited_for_again(running: Running) -> None:
    run = Recovery(running, outputs=[STOPPED, {}])
    assert run.states[4:8] == ["EvaluateReplay", "NextRound", "AwaitPrimary", "Replay"]
    assert run.output["outcome"] == "recovered"


def test_not_for_ever(running: Running) -> None:
    run = Recovery(running, outputs=[STOPPED])
    assert run.calls("replay") == 5
    assert run.end["error"] == "Incomplete"


def test_what_remains_is_told_and_fails_the_recovery(running: Running) -> None:
    run = Recovery(running, outputs=[FAILED])
    assert run.states == [
        *BEGINNING,
        "Look",
        "CheckAlertState",
        "Whole",
        "NotifyIncomplete",
        "RecordIncompleteAlert",
        "Incomplete",
    ]
    assert run.end["error"] == "Incomplete"
    assert run.end["cause"] == "1 of 3 missing batches remain; the report is s3://bucket/replays/r/report.json."
    [message] = run.messages
    assert "1 are loaded now, 1 could not be loaded and 1 remain" in message["Message"]


@pytest.mark.parametrize(
    ("script", "about", "end"),
    [
        ({"outputs": [FAILED]}, "incomplete d1", "Incomplete"),
        ({"probe": ["KeyError!"]}, "given up with KeyError", "RetriesExhausted"),
    ],
)
def test_what_was_told_already_is_not_told_again(running: Running, script: Any, about: str, end: str) -> None:
    run = Recovery(running, "Hasty", news=False, **script)
    assert (run.end["error"], run.states[-1]) == (end, end)
    assert run.messages == []
    assert (run.asked, run.told) == (about, "")


def test_what_was_loaded_is_told_whatever_was_told_before(running: Running) -> None:
    run = Recovery(running, news=False)
    assert [message["Subject"] for message in run.messages] == ["Sluice: recovered"]


@pytest.mark.parametrize("script", [{"outputs": [FAILED]}, {"probe": ["KeyError!"]}])
def test_in_doubt_whether_it_was_told_it_is_told(running: Running, script: Any) -> None:
    run = Recovery(running, "Hasty", tell=["OSError!"], **script)
    assert run.calls("tell") == 2
    assert len(run.messages) == 1


def test_looking_again_is_tried_again(running: Running) -> None:
    run = Recovery(running, look=["Lambda.Unknown"])
    assert run.calls("look") == 2
    assert run.output["database"]["sentence"].startswith("The primary takes writes")


def test_what_cannot_be_seen_is_said(running: Running) -> None:
    run = Recovery(running, "Hasty", look=["KeyError!"])
    assert run.states[5:7] == ["Look", "HealthUnknown"]
    assert run.output["outcome"] == "recovered"
    assert "could not be looked at" in run.messages[0]["Message"]


@pytest.mark.parametrize(
    ("script", "end"),
    [({}, "Recovered"), ({"outputs": [FAILED]}, "Incomplete"), ({"probe": ["KeyError!"]}, "RetriesExhausted")],
)
def test_a_message_that_cannot_be_sent_changes_nothing(running: Running, script: dict[str, Any], end: str) -> None:
    run = Recovery(running, "Mute", **script)
    assert run.states[-2:] == [f"Notify{end}", end]
    assert run.told == ""


@pytest.mark.parametrize(
    ("script", "about", "end"),
    [
        ({}, "nothing", "Recovered"),
        ({"outputs": [FAILED]}, "incomplete d1", "Incomplete"),
        ({"probe": ["KeyError!"]}, "given up with KeyError", "RetriesExhausted"),
    ],
)
def test_an_alert_counts_as_told_when_it_was_taken(running: Running, script: Any, about: str, end: str) -> None:
    run = Recovery(running, "Hasty", **script)
    assert run.states[-3:] == [f"Notify{end}", f"Told{end}", end]
    assert run.told == about
    run = Recovery(running, "Hasty", told=["OSError!"], **script)
    assert (run.states[-1], run.calls("told"), run.told) == (end, 2, "")


def test_an_alert_that_could_not_be_sent_is_made_up_for_when_nothing_is_missing(running: Running) -> None:
    run = Recovery(running, outputs=[{"planned": 0}])
    late = [*NOTHING_MISSING[:-1], "NotifyDelayed", "RecordDelayedAlert", "NothingMissing"]
    assert run.states == [*BEGINNING, *late]
    assert [message["Subject"] for message in run.messages] == ["Sluice: nothing is missing"]
    assert (run.asked, run.told) == ("nothing", "nothing")
    assert run.output["outcome"] == "nothing_missing"
    run = Recovery(running, "Hasty", outputs=[{"planned": 0}], told=["OSError!"])
    assert (run.output["outcome"], run.told) == ("nothing_missing", "")
    run = Recovery(running, "Mute", outputs=[{"planned": 0}])
    assert run.states[-2:] == ["NotifyDelayed", "NothingMissing"]
    assert run.told == ""


@pytest.mark.parametrize(("more", "end"), [({"planned": 0}, "recovered"), (FAILED, "recovery incomplete")])
def test_what_there_is_to_do_besides_is_told(running: Running, more: Any, end: str) -> None:
    run = Recovery(running, outputs=[{**more, "advice": "Rebuild."}])
    [message] = run.messages
    assert message["Subject"] == f"Sluice: {end}"
    assert message["Message"].endswith(" Rebuild.")


@pytest.mark.usefixtures("all_of_module")
def test_every_branch_was_taken(running: Running) -> None:
    """Stands last: it looks at what the tests above did."""
    seen = {branch for history in running.histories() for branch in taken(DEFINITION, history)}
    assert branches(DEFINITION) - seen == set()
