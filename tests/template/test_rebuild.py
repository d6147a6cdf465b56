"""The workflow rebuild on the emulator, with stub functions and a stub replay. The tests take every branch."""

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

# A file has the script, because not every event contains it: the errors by step, and the outputs by replay.
SCRIPT = """
    def script():
        return json.loads(pathlib.Path(os.environ["FOLDER"], "script").read_text())

    def step(name):
        found = script()
        return stumble(found.get("errors", {}).get(name), f"{found['run']}-{name}")
"""
LEASE = (
    SCRIPT
    + """
    def handle(event, context):
        assert event["workflow"] == "rebuild", event
        step("lease")
        request = {"source": "batches", "reset_exclusions": False, **event["request"]}
        return {"name": event["execution"], "request": request, "round": {"number": 1}, "filled": False}
"""
)
MIGRATE = (
    SCRIPT
    + """
    def handle(event, context):
        step("migrate")
        return {"done": [], "notices": []}
"""
)
HEALTH_CHECK = (
    SCRIPT
    + """
    def handle(event, context):
        assert event == {"probe": True}, event
        step("probe")
        return {"seconds": None}
"""
)
REBUILD = (
    SCRIPT
    + """
    def handle(event, context):
        step(event["step"])
        state = event["state"]
        output = {"status": "complete", "summary": "All is new.", "report": {"bucket": "b", "key": "replays/r"}}
        results = {"prepare": {"exclusions": ["r"]}, "swap": {"retained": "old"}, "report": {**state, **output}}
        if event["step"] == "drop_shadow":
            return {"reason": f"{state['Error']}: {json.loads(state['Cause'])['errorMessage']}"}
        return results.get(event["step"], {})
"""
)
REPLAY = (
    SCRIPT
    + """
    def handle(event, context):
        event.pop("AWS_STEP_FUNCTIONS_STARTED_BY_EXECUTION_ID")
        if event:
            assert event["shadow"] is True, event
        name = f"{event.get('source', 'live')}"
        attempt = step(f"replay-{name}")
        outputs = script().get("outputs", {}).get(name, [{}])
        output = outputs[min(attempt, len(outputs)) - 1]
        return {"status": "complete", "stopped": False, "planned": 3, "given": event, **output}
"""
)
DEFINITION = read_definition("rebuild")
STOPPED = {"status": "incomplete", "stopped": True}
SETTLED = {"planned": 0}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("calls")
    functions = {"Lease": LEASE, "Migrate": MIGRATE, "HealthCheck": HEALTH_CHECK, "Rebuild": REBUILD}
    substitutions: dict[str, Any] = {f"{name}Function": {"Fn::GetAtt": [name, "Arn"]} for name in functions}
    substitutions |= {"Replay": {"Ref": "Replay"}, "Alerts": {"Ref": "Alerts"}}
    work = {"Type": "Task", "Resource": "${Function}", "End": True}
    resources = {
        **{name: build_counting_function(code, folder) for name, code in functions.items()},
        "Loads": build_counting_function(REPLAY, folder),
        "Replay": build_state_machine(
            {"StartAt": "Work", "States": {"Work": work}}, Function={"Fn::GetAtt": ["Loads", "Arn"]}
        ),
        **build_inbox(),
        "Mute": build_state_machine(
            limit_retries(DEFINITION), **{**substitutions, "Alerts": "arn:aws:sns:us-east-1:000000000000:nowhere"}
        ),
        "Patient": build_state_machine(DEFINITION, **substitutions),
        "Hasty": build_state_machine(limit_retries(DEFINITION), **substitutions),
    }
    with deploy_workflow("rebuild", resources, tmp_path_factory.mktemp("emulator"), folder) as running_workflows:
        yield running_workflows


class Rebuild(Run):
    """A rebuild; without an argument its input is empty."""

    def __init__(self, running: Running, machine: str = "Patient", execution_input: Any = None, **script: Any) -> None:
        super().__init__(running, machine, execution_input or {}, **script)

    @property
    def failure(self) -> tuple[str, str]:
        """Error and cause."""
        assert self.end["status"] == "FAILED", self.end
        return self.end["error"], self.end["cause"]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Subject and text of its alerts."""
        name = self.execution.rsplit(":", 1)[-1]
        named_messages = [message for message in self.running.messages() if name in message["Message"]]
        return [(message["Subject"], message["Message"]) for message in named_messages]


BEGINNING = ["AcquireLease", "Migrate", "Prepare", "Fill", "EvaluateFill"]
CATCHING_UP = ["MarkFilled", "CatchUp", "EvaluateCatchUp"]
END = ["Swap", "StoreExclusions", "FinalReplay", "Report", "NotifyRebuilt", "Rebuilt"]
FAILING = ["NotifyFailed", "Failed"]
NEXT_ROUND = ["NextRound", "AwaitPrimary", "ResumePhase"]


def test_the_tables_are_filled_swapped_and_brought_up_to_date(running: Running) -> None:
    run = Rebuild(running)
    assert run.states == [*BEGINNING, *CATCHING_UP, *END]
    assert run.output["fill"]["output"]["given"] == {"source": "batches", "shadow": True}
    assert run.output["catch_up"]["output"]["given"] == {"source": "batches", "shadow": True}
    assert run.output["last"]["output"]["given"] == {}
    assert (run.output["swap"], run.output["prepared"]) == ({"retained": "old"}, {"exclusions": ["r"]})


def test_after_the_archive_the_batches_are_loaded_too(running: Running) -> None:
    run = Rebuild(running, execution_input={"source": "archive"})
    assert run.states == [*BEGINNING, *CATCHING_UP, *END]
    assert run.output["fill"]["output"]["given"] == {"source": "archive", "shadow": True}
    assert run.output["catch_up"]["output"]["given"] == {"source": "batches", "shadow": True}


@pytest.mark.parametrize("step", ["lease", "migrate", "prepare", "swap", "store_exclusions", "report"])
def test_a_failed_step_is_retried(running: Running, step: str) -> None:
    run = Rebuild(running, errors={step: ["DatabaseUnavailable"]})
    assert run.output["swap"] == {"retained": "old"}
    assert run.calls(step) == 2


INPUT_ERRORS = [
    "InvalidInput",
    "InvalidWindow",
    "FutureTime",
    "UnknownCollection",
    "NoRebuildSource",
    "RebuildInProgress",
]


@pytest.mark.parametrize("error", INPUT_ERRORS)
def test_an_invalid_input_ends_it_before_anything_is_changed(running: Running, error: str) -> None:
    run = Rebuild(running, errors={"lease": [f"{error}!"]})
    assert run.states == ["AcquireLease", "NotStarted", *FAILING]
    assert (run.failure[0], json.loads(run.failure[1])["errorMessage"]) == (error, "a sentence")
    assert run.calls("lease") == 1
    assert run.calls("drop_shadow") == 0


@pytest.mark.parametrize("step", ["migrate", "prepare", "swap"])
def test_a_step_that_keeps_failing_leaves_no_shadow(running: Running, step: str) -> None:
    run = Rebuild(running, "Hasty", errors={step: ["DatabaseUnavailable!"]})
    assert (run.failure[0], json.loads(run.failure[1])["errorMessage"]) == ("DatabaseUnavailable", "a sentence")
    assert run.states[-5:] == [step.capitalize(), "DropShadow", "ShadowDropped", *FAILING]
    assert (run.calls(step), run.calls("drop_shadow")) == (2, 1)


def test_a_shadow_that_cannot_be_dropped_fails_with_the_first_error(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"prepare": ["DatabaseUnavailable!"], "drop_shadow": ["LockConflict!"]})
    assert run.failure[0] == "DatabaseUnavailable"
    assert run.states[-4:] == ["DropShadow", "DropShadowFailed", *FAILING]
    assert run.calls("drop_shadow") == 2
    run = Rebuild(running, "Hasty", errors={"prepare": ["DatabaseUnavailable!"], "drop_shadow": ["LockConflict"]})
    assert (run.failure[0], run.calls("drop_shadow")) == ("DatabaseUnavailable", 2)


@pytest.mark.parametrize("step", ["prepare", "swap"])
def test_a_refused_rebuild_is_not_retried(running: Running, step: str) -> None:
    run = Rebuild(running, errors={step: ["RebuildRefused!"]})
    assert (run.failure[0], json.loads(run.failure[1])["errorMessage"]) == ("RebuildRefused", "a sentence")
    assert run.calls(step) == 1
    assert run.states[-4:] == ["DropShadow", "ShadowDropped", *FAILING]


def test_a_swap_waits_for_loads_without_blocking_them(running: Running) -> None:
    run = Rebuild(running, errors={"swap": ["LockConflict", "LockConflict"]})
    assert run.output["swap"] == {"retained": "old"}
    assert run.calls("swap") == 3


def test_a_stopped_fill_continues_when_the_primary_is_available(running: Running) -> None:
    errors = ["DatabaseUnavailable", "LockConflict", "AccessDenied", "SchemaOutdated", "KeyError"]
    run = Rebuild(running, errors={"probe": errors}, outputs={"batches": [STOPPED, {}]})
    assert run.states == [*BEGINNING, *NEXT_ROUND, "Fill", "EvaluateFill", *CATCHING_UP, *END]
    assert run.calls("probe") == 6


def test_a_fill_that_is_always_stopped_is_judged_by_the_swap(running: Running) -> None:
    run = Rebuild(running, outputs={"batches": [STOPPED] * 5 + [{}]})
    assert run.states == [*BEGINNING, *[*NEXT_ROUND, "Fill", "EvaluateFill"] * 4, *CATCHING_UP, *END]


def test_catching_up_continues_in_its_phase(running: Running) -> None:
    much = {"planned": 21}
    run = Rebuild(running, outputs={"batches": [{}, STOPPED, much, SETTLED]})
    repeated_states = [*NEXT_ROUND, "CatchUp", "EvaluateCatchUp"]
    assert run.states == [*BEGINNING, *CATCHING_UP, *repeated_states, *repeated_states, *END]


def test_catching_up_ends_although_many_batches_arrive(running: Running) -> None:
    run = Rebuild(running, outputs={"batches": [{}, {"planned": 21}]})
    assert run.states == [*BEGINNING, *CATCHING_UP, *[*NEXT_ROUND, "CatchUp", "EvaluateCatchUp"] * 4, *END]


def test_a_failed_replay_is_retried_and_then_repeated_in_another_round(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"replay-batches": ["DatabaseUnavailable"] * 2 + [""]})
    assert run.states == [
        *BEGINNING[:-1],
        "CanRetryAfterError",
        *NEXT_ROUND,
        "Fill",
        "EvaluateFill",
        *CATCHING_UP,
        *END,
    ]
    run = Rebuild(running, "Hasty", errors={"replay-batches": ["", "DatabaseUnavailable", "DatabaseUnavailable", ""]})
    assert run.states == [
        *BEGINNING,
        "MarkFilled",
        "CatchUp",
        "CanRetryAfterError",
        *NEXT_ROUND,
        "CatchUp",
        "EvaluateCatchUp",
        *END,
    ]


def test_replays_that_keep_failing_end_the_rebuild(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"replay-batches": ["DatabaseUnavailable!"]})
    assert run.states[-5:] == ["Fill", "CanRetryAfterError", "RetriesExhausted", *FAILING]
    assert run.failure[0] == "RetriesExhausted"
    assert run.failure[1].endswith("The live tables are unchanged. Start the rebuild again.")
    assert run.calls("replay-batches") == 10


def test_a_primary_that_stays_unavailable_ends_the_rebuild(running: Running) -> None:
    for errors in (["DatabaseUnavailable!"], ["KeyError!"]):
        run = Rebuild(running, "Hasty", errors={"probe": errors}, outputs={"batches": [STOPPED]})
        assert run.states[-4:] == ["AwaitPrimary", "RetriesExhausted", *FAILING]
        assert run.failure[1].startswith(f"The last error was {errors[0][:-1]}: see the log")


def test_exclusions_that_cannot_be_stored_are_in_the_database(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"store_exclusions": ["OSError!"]})
    assert run.output["swap"] == {"retained": "old"}
    assert run.states[-6:] == END
    assert run.output["exclusions_not_stored"]["Error"] == "OSError"


def test_a_failed_final_replay_leaves_the_rest_to_recover(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"replay-live": ["DatabaseUnavailable!"]})
    assert run.states[-5:] == ["FinalReplay", "FinalReplayFailed", *END[-3:]]
    assert run.output["last"]["output"]["status"] == "incomplete"
    assert run.calls("replay-live") == 2


def test_a_failed_report_fails_with_its_error(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"report": ["DatabaseUnavailable!"]})
    assert (run.failure[0], run.states[-4:]) == ("DatabaseUnavailable", ["Report", "ReportFailed", *FAILING])
    assert run.calls("drop_shadow") == 0


def test_a_complete_rebuild_is_reported(running: Running) -> None:
    run = Rebuild(running)
    text = f"All is new. Report: s3://b/replays/r. Execution: {run.execution}"
    assert run.messages == [("Sluice: rebuild complete", text)]


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        ({"lease": ["RebuildInProgress!"]}, "RebuildInProgress. The rebuild did not start."),
        ({"prepare": ["RebuildRefused!"]}, "RebuildRefused: a sentence. The live tables are unchanged."),
        ({"prepare": ["KeyError!"], "drop_shadow": ["LockConflict!"]}, "KeyError. The live tables are unchanged."),
        ({"replay-batches": ["KeyError!"]}, "KeyError. The live tables are unchanged."),
        ({"report": ["KeyError!"]}, "KeyError. The new tables are in use. Only the report failed."),
    ],
)
def test_a_failed_rebuild_causes_an_alert_with_the_reason(running: Running, errors: Any, reason: str) -> None:
    run = Rebuild(running, "Hasty", errors=errors)
    name = run.execution.rsplit(":", 1)[-1]
    text = f"The rebuild failed with {reason} `sluice executions {name}` shows the details."
    assert run.messages == [("Sluice: rebuild failed", text)]


@pytest.mark.parametrize("errors", [{}, {"lease": ["InvalidInput!"]}])
def test_a_message_that_cannot_be_sent_changes_nothing(running: Running, errors: Any) -> None:
    run = Rebuild(running, "Mute", errors=errors)
    assert run.states[-1] == ("Failed" if errors else "Rebuilt")


@pytest.mark.usefixtures("all_of_module")
def test_every_branch_was_taken(running: Running) -> None:
    """Runs last: it checks which branches the tests above took."""
    seen = {branch for history in running.histories() for branch in find_taken_branches(DEFINITION, history)}
    assert list_branches(DEFINITION) - seen == set()
