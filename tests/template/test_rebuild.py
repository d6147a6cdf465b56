"""rebuild on the emulator, with small functions and a small replay in place of its own: each way is taken."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.template.branches import branches, taken
from tests.template.running import Run, Running, counting, definition, deployed, hasty, inbox, machine

# What goes wrong stands in a file, since not every function is told of the run: errors by step, outputs by replay.
SCRIPT = """
    def script():
        return json.loads(pathlib.Path(os.environ["FOLDER"], "script").read_text())

    def step(name):
        found = script()
        return stumble(found.get("errors", {}).get(name), f"{found['run']}-{name}")
"""
CLAIM = (
    SCRIPT
    + """
    def handle(event, context):
        assert event["workflow"] == "rebuild", event
        step("claim")
        request = {"source": "batches", "afresh": False, **event["request"]}
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
SURVEY = (
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
        told = {"status": "complete", "sentence": "All is new.", "report": {"bucket": "b", "key": "replays/r"}}
        answers = {"prepare": {"exclusions": ["r"]}, "swap": {"kept": "kept"}, "report": {**state, **told}}
        if event["step"] == "clean":
            return {"why": f"{state['Error']}: {json.loads(state['Cause'])['errorMessage']}"}
        return answers.get(event["step"], {})
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
DEFINITION = definition("rebuild")
STOPPED = {"status": "incomplete", "stopped": True}
SETTLED = {"planned": 0}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("calls")
    functions = {"Lease": CLAIM, "Migrate": MIGRATE, "HealthCheck": SURVEY, "Rebuild": REBUILD}
    substitutions: dict[str, Any] = {f"{name}Function": {"Fn::GetAtt": [name, "Arn"]} for name in functions}
    substitutions |= {"Replay": {"Ref": "Replay"}, "Alerts": {"Ref": "Alerts"}}
    work = {"Type": "Task", "Resource": "${Function}", "End": True}
    resources = {
        **{name: counting(code, folder) for name, code in functions.items()},
        "Loads": counting(REPLAY, folder),
        "Replay": machine({"StartAt": "Work", "States": {"Work": work}}, Function={"Fn::GetAtt": ["Loads", "Arn"]}),
        **inbox(),
        "Mute": machine(hasty(DEFINITION), **{**substitutions, "Alerts": "arn:aws:sns:us-east-1:000000000000:nowhere"}),
        "Patient": machine(DEFINITION, **substitutions),
        "Hasty": machine(hasty(DEFINITION), **substitutions),
    }
    with deployed("rebuild", resources, tmp_path_factory.mktemp("emulator"), folder) as found:
        yield found


class Rebuild(Run):
    """A rebuild; nothing is given where nothing is said."""

    def __init__(self, running: Running, machine: str = "Patient", given: Any = None, **script: Any) -> None:
        super().__init__(running, machine, given or {}, **script)

    @property
    def failure(self) -> tuple[str, str]:
        """Error and cause."""
        assert self.end["status"] == "FAILED", self.end
        return self.end["error"], self.end["cause"]

    @property
    def messages(self) -> list[tuple[str, str]]:
        """Subject and text of what it told."""
        name = self.execution.rsplit(":", 1)[-1]
        found = [message for message in self.running.messages() if name in message["Message"]]
        return [(message["Subject"], message["Message"]) for message in found]


BEGINNING = ["Lease", "Migrate", "Prepare", "Fill", "Filled"]
CATCHING_UP = ["Full", "CatchUp", "EvaluateCatchUp"]
END = ["Swap", "Remember", "Last", "Report", "NotifyRebuilt", "Rebuilt"]
FAILING = ["NotifyFailed", "Failed"]
AGAIN = ["NextRound", "AwaitPrimary", "ResumePhase"]


def test_the_tables_are_made_swapped_and_brought_up_to_date(running: Running) -> None:
    run = Rebuild(running)
    assert run.states == [*BEGINNING, *CATCHING_UP, *END]
    assert run.output["fill"]["output"]["given"] == {"source": "batches", "shadow": True}
    assert run.output["catch_up"]["output"]["given"] == {"source": "batches", "shadow": True}
    assert run.output["last"]["output"]["given"] == {}
    assert (run.output["swap"], run.output["prepared"]) == ({"kept": "kept"}, {"exclusions": ["r"]})


def test_after_the_archive_the_batches_are_taken_too(running: Running) -> None:
    run = Rebuild(running, given={"source": "archive"})
    assert run.states == [*BEGINNING, *CATCHING_UP, *END]
    assert run.output["fill"]["output"]["given"] == {"source": "archive", "shadow": True}
    assert run.output["catch_up"]["output"]["given"] == {"source": "batches", "shadow": True}


@pytest.mark.parametrize("step", ["claim", "migrate", "prepare", "swap", "remember", "report"])
def test_a_step_that_fails_is_tried_again(running: Running, step: str) -> None:
    run = Rebuild(running, errors={step: ["DatabaseUnavailable"]})
    assert run.output["swap"] == {"kept": "kept"}
    assert run.calls(step) == 2


WRONG = ["InvalidInput", "InvalidWindow", "FutureTime", "UnknownCollection", "NoRebuildSource", "RebuildInProgress"]


@pytest.mark.parametrize("error", WRONG)
def test_a_wrong_input_ends_it_before_anything_is_touched(running: Running, error: str) -> None:
    run = Rebuild(running, errors={"claim": [f"{error}!"]})
    assert run.states == ["Lease", "NotStarted", *FAILING]
    assert (run.failure[0], json.loads(run.failure[1])["errorMessage"]) == (error, "a sentence")
    assert run.calls("claim") == 1
    assert run.calls("clean") == 0


@pytest.mark.parametrize("step", ["migrate", "prepare", "swap"])
def test_a_step_that_goes_on_failing_leaves_nothing_behind(running: Running, step: str) -> None:
    run = Rebuild(running, "Hasty", errors={step: ["DatabaseUnavailable!"]})
    assert (run.failure[0], json.loads(run.failure[1])["errorMessage"]) == ("DatabaseUnavailable", "a sentence")
    assert run.states[-5:] == [step.capitalize(), "Clean", "Cleaned", *FAILING]
    assert (run.calls(step), run.calls("clean")) == (2, 1)


def test_what_cannot_be_cleaned_fails_by_what_came_first(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"prepare": ["DatabaseUnavailable!"], "clean": ["LockConflict!"]})
    assert run.failure[0] == "DatabaseUnavailable"
    assert run.states[-4:] == ["Clean", "DropShadowFailed", *FAILING]
    assert run.calls("clean") == 2
    run = Rebuild(running, "Hasty", errors={"prepare": ["DatabaseUnavailable!"], "clean": ["LockConflict"]})
    assert (run.failure[0], run.calls("clean")) == ("DatabaseUnavailable", 2)


@pytest.mark.parametrize("step", ["prepare", "swap"])
def test_what_a_rebuild_cannot_do_is_not_tried_again(running: Running, step: str) -> None:
    run = Rebuild(running, errors={step: ["RebuildRefused!"]})
    assert (run.failure[0], json.loads(run.failure[1])["errorMessage"]) == ("RebuildRefused", "a sentence")
    assert run.calls(step) == 1
    assert run.states[-4:] == ["Clean", "Cleaned", *FAILING]


def test_a_swap_waits_for_loads_without_holding_them_up(running: Running) -> None:
    run = Rebuild(running, errors={"swap": ["LockConflict", "LockConflict"]})
    assert run.output["swap"] == {"kept": "kept"}
    assert run.calls("swap") == 3


def test_a_fill_that_was_stopped_goes_on_when_the_primary_is_back(running: Running) -> None:
    away = ["DatabaseUnavailable", "LockConflict", "AccessDenied", "SchemaOutdated", "KeyError"]
    run = Rebuild(running, errors={"probe": away}, outputs={"batches": [STOPPED, {}]})
    assert run.states == [*BEGINNING, *AGAIN, "Fill", "Filled", *CATCHING_UP, *END]
    assert run.calls("probe") == 6


def test_a_fill_that_is_always_stopped_is_judged_by_the_swap(running: Running) -> None:
    run = Rebuild(running, outputs={"batches": [STOPPED] * 5 + [{}]})
    assert run.states == [*BEGINNING, *[*AGAIN, "Fill", "Filled"] * 4, *CATCHING_UP, *END]


def test_catching_up_goes_on_where_it_was(running: Running) -> None:
    much = {"planned": 21}
    run = Rebuild(running, outputs={"batches": [{}, STOPPED, much, SETTLED]})
    again = [*AGAIN, "CatchUp", "EvaluateCatchUp"]
    assert run.states == [*BEGINNING, *CATCHING_UP, *again, *again, *END]


def test_catching_up_ends_though_much_comes(running: Running) -> None:
    run = Rebuild(running, outputs={"batches": [{}, {"planned": 21}]})
    assert run.states == [*BEGINNING, *CATCHING_UP, *[*AGAIN, "CatchUp", "EvaluateCatchUp"] * 4, *END]


def test_a_replay_that_fails_is_tried_again_and_then_in_another_round(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"replay-batches": ["DatabaseUnavailable"] * 2 + [""]})
    assert run.states == [*BEGINNING[:-1], "CanRetryAfterError", *AGAIN, "Fill", "Filled", *CATCHING_UP, *END]
    run = Rebuild(running, "Hasty", errors={"replay-batches": ["", "DatabaseUnavailable", "DatabaseUnavailable", ""]})
    assert run.states == [
        *BEGINNING,
        "Full",
        "CatchUp",
        "CanRetryAfterError",
        *AGAIN,
        "CatchUp",
        "EvaluateCatchUp",
        *END,
    ]


def test_replays_that_go_on_failing_are_given_up(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"replay-batches": ["DatabaseUnavailable!"]})
    assert run.states[-5:] == ["Fill", "CanRetryAfterError", "RetriesExhausted", *FAILING]
    assert run.failure[0] == "RetriesExhausted"
    assert run.failure[1].endswith("The live tables are as they were; rebuild again.")
    assert run.calls("replay-batches") == 10


def test_a_primary_that_stays_away_is_given_up(running: Running) -> None:
    for errors in (["DatabaseUnavailable!"], ["KeyError!"]):
        run = Rebuild(running, "Hasty", errors={"probe": errors}, outputs={"batches": [STOPPED]})
        assert run.states[-4:] == ["AwaitPrimary", "RetriesExhausted", *FAILING]
        assert run.failure[1].startswith(f"The last error was {errors[0][:-1]}: see the log")


def test_what_is_not_remembered_stands_in_the_database(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"remember": ["OSError!"]})
    assert run.output["swap"] == {"kept": "kept"}
    assert run.states[-6:] == END
    assert run.output["not_remembered"]["Error"] == "OSError"


def test_a_last_replay_that_fails_leaves_an_incomplete_rebuild_to_recover(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"replay-live": ["DatabaseUnavailable!"]})
    assert run.states[-5:] == ["Last", "FinalReplayFailed", *END[-3:]]
    assert run.output["last"]["output"]["status"] == "incomplete"
    assert run.calls("replay-live") == 2


def test_a_report_that_fails_fails_by_its_name(running: Running) -> None:
    run = Rebuild(running, "Hasty", errors={"report": ["DatabaseUnavailable!"]})
    assert (run.failure[0], run.states[-4:]) == ("DatabaseUnavailable", ["Report", "ReportFailed", *FAILING])
    assert run.calls("clean") == 0


def test_what_was_rebuilt_is_told(running: Running) -> None:
    run = Rebuild(running)
    text = f"All is new. Report: s3://b/replays/r. Execution: {run.execution}"
    assert run.messages == [("Sluice: rebuild complete", text)]


@pytest.mark.parametrize(
    ("errors", "told"),
    [
        ({"claim": ["RebuildInProgress!"]}, "RebuildInProgress. It did not begin."),
        ({"prepare": ["RebuildRefused!"]}, "RebuildRefused: a sentence. The live tables are as they were."),
        ({"prepare": ["KeyError!"], "clean": ["LockConflict!"]}, "KeyError. The live tables are as they were."),
        ({"replay-batches": ["KeyError!"]}, "KeyError. The live tables are as they were."),
        ({"report": ["KeyError!"]}, "KeyError. The new tables are in use; it could only not report."),
    ],
)
def test_that_a_rebuild_failed_is_told_with_the_cause(running: Running, errors: Any, told: str) -> None:
    run = Rebuild(running, "Hasty", errors=errors)
    name = run.execution.rsplit(":", 1)[-1]
    text = f"The rebuild failed with {told} `sluice executions {name}` says more."
    assert run.messages == [("Sluice: rebuild failed", text)]


@pytest.mark.parametrize("errors", [{}, {"claim": ["InvalidInput!"]}])
def test_a_message_that_cannot_be_sent_changes_nothing(running: Running, errors: Any) -> None:
    run = Rebuild(running, "Mute", errors=errors)
    assert run.states[-1] == ("Failed" if errors else "Rebuilt")


@pytest.mark.usefixtures("all_of_module")
def test_every_branch_was_taken(running: Running) -> None:
    """Stands last: it looks at what the tests above did."""
    seen = {branch for history in running.histories() for branch in taken(DEFINITION, history)}
    assert branches(DEFINITION) - seen == set()
