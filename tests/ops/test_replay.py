"""`sluice replay` and `sluice recover`: what is started, what is printed, and the exit codes."""

import json
import sys
from io import StringIO
from typing import Any

import pytest

from ops import progress
from ops.stack import Stack
from ops.target import choose
from tests.emulator.harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.miniature import HEALTHY, NAME, REPORT, Miniature, remaining

WINDOW = ("--from", "2026-01-02", "--to", "2026-01-03")
ALL: dict[str, Any] = {
    "from": None,
    "to": None,
    "collections": [],
    "source": "batches",
    "mode": "missing",
    "dry_run": False,
}


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PAUSE", 0.05)


def test_a_replay_is_started(sluice: Sluice, miniature: Miniature) -> None:
    said = sluice("replay", "--json")
    assert said.code == 0
    assert miniature.given("Replay") == said.document["request"] == ALL
    assert said.document["status"] == "started"
    assert said.document["execution"].startswith("replay-2")
    assert said.document["arn"] == miniature.executions("Replay")[0]["executionArn"]
    assert miniature.asked[0] == ("Plan", {"step": "begin", "name": "asked", "request": ALL})


def test_everything_that_is_said_is_asked_for(sluice: Sluice, miniature: Miniature) -> None:
    miniature.put("archive/2026/01/02/05/x.gz", bucket=miniature.outputs["ArchiveBucketName"])
    assert sluice("replay", *WINDOW, "--collection", "a", "--collection", "b", "--source", "archive").code == 0
    assert miniature.given("Replay") == {
        "from": "2026-01-02T00:00:00Z",
        "to": "2026-01-03T00:00:00Z",
        "collections": ["a", "b"],
        "source": "archive",
        "mode": "all",
        "dry_run": False,
    }
    assert sluice("replay", "--mode", "all").code == 0
    assert miniature.given("Replay") == {**ALL, "mode": "all"}


def test_a_whole_replay_that_was_waited_for(sluice: Sluice, miniature: Miniature) -> None:
    miniature.gives("Replay", REPORT, seconds=1)
    said = sluice("replay", "--wait")
    assert said.code == 0
    assert said.out.splitlines() == [
        "complete: nothing remains",
        "  listed     9 batches",
        "  planned    3 batches, 2.9 KiB, the oldest of 2026-11-25T03:00:00Z",
        "  loaded     2 batches, 1 loaded before",
        "  writes     20 applied, 1 stale, 0 rejected",
        "  remaining  0 batches",
        "  took       1.5 s",
        "  report     s3://b/replays/r/report.json",
    ]
    document = sluice("replay", "--wait", "--json").document
    assert {**document, "execution": ""} == {**REPORT, "execution": ""}


def test_a_dry_run_is_waited_for_and_changes_nothing(sluice: Sluice, miniature: Miniature) -> None:
    miniature.gives("Replay", {**REPORT, "status": "planned", "loaded": 0, "already_loaded": 0})
    said = sluice("replay", "--dry-run")
    assert said.code == 0
    assert said.out.startswith("dry run: 3 batches would be loaded; nothing was changed\n")
    assert miniature.given("Replay") == {**ALL, "dry_run": True}


def test_something_remains(sluice: Sluice, miniature: Miniature) -> None:
    failures = [{"key": "batches/k", "error": "SchemaBehind"}]
    changes = {"status": "incomplete", "failed": 1, "remaining": 1, "failures": failures, "stopped": True}
    miniature.gives("Replay", {**REPORT, **changes})
    said = sluice("replay", "--wait")
    assert said.code == 1
    assert said.out.startswith("incomplete: 1 batch could not be loaded\n")
    assert "  SchemaBehind  batches/k" in said.out
    assert "Too many loads met no database" in said.out
    assert sluice("replay", "--wait", "--json").code == 1


@pytest.mark.parametrize("error", ["InvalidInput", "InvalidWindow", "FutureTime", "UnknownCollection"])
def test_what_the_plan_refuses_is_a_mistake_and_nothing_is_started(
    sluice: Sluice, miniature: Miniature, error: str
) -> None:
    before = len(miniature.executions("Replay"))
    miniature.answer("Plan", begin={"raise": error, "said": "There is no collection 'x'; there are a, b."})
    assert sluice("replay", "--collection", "x").mistake() == "There is no collection 'x'; there are a, b."
    assert len(miniature.executions("Replay")) == before


def test_a_window_that_ends_before_it_begins(sluice: Sluice, miniature: Miniature) -> None:
    sentence = sluice("replay", "--from", "2026-01-03", "--to", "2026-01-02").mistake()
    assert "ends (2026-01-02T00:00:00Z) before it begins" in sentence
    assert miniature.asked == []


@pytest.mark.parametrize(
    ("hour", "found"),
    [("01/22", False), ("01/23", True), ("02/12", True), ("03/00", True), ("03/01", False)],
)
def test_a_window_in_which_nothing_was_delivered(sluice: Sluice, miniature: Miniature, hour: str, found: bool) -> None:
    miniature.put(f"batches/2026/01/{hour}/x.gz")
    before = len(miniature.executions("Replay"))
    said = sluice("replay", *WINDOW)
    assert (said.code, len(miniature.executions("Replay")) - before) == ((0, 1) if found else (2, 0))
    if not found:
        assert said.mistake().startswith("Nothing was delivered to the batches in that window (from 2026-01-02T00")


def test_nothing_listed_in_a_window_is_a_mistake_too(sluice: Sluice, miniature: Miniature) -> None:
    miniature.put("batches/2026/01/02/05/x.gz")
    miniature.gives("Replay", {**REPORT, "listed": 0, "planned": 0, "oldest": None})
    assert sluice("replay", *WINDOW, "--wait").mistake().startswith("Nothing was delivered")
    assert sluice("replay", "--wait").code == 0


def test_an_execution_that_fails(sluice: Sluice, miniature: Miniature) -> None:
    cause = json.dumps({"errorType": "DatabaseAway", "errorMessage": "OperationalError 2003"})
    miniature.fails("Replay", "DatabaseAway", cause)
    sentence = sluice("replay", "--wait").failure()
    assert sentence.startswith("replay failed with DatabaseAway: OperationalError 2003. (execution replay-2")
    miniature.fails("Replay", "UnknownCollection", json.dumps({"errorMessage": "There is no collection 'x'."}))
    assert sluice("replay", "--wait").mistake() == "There is no collection 'x'."


def test_a_function_that_fails_is_no_mistake(sluice: Sluice, miniature: Miniature) -> None:
    miniature.answer("Plan", begin={"raise": "SomethingElse", "said": "withheld"})
    assert sluice("replay").failure() == "PlanFunction failed with SomethingElse: withheld"


def test_a_recovery_is_started_and_waited_for(sluice: Sluice, miniature: Miniature) -> None:
    assert sluice("recover", "--from", "2026-01-02").code == 0
    assert miniature.given("Recover") == {"trigger": "hand", "from": "2026-01-02T00:00:00Z", "min_age": 0}
    output = {"outcome": "recovered", "seconds": 70, "waited": 65, "database": HEALTHY, "replay": REPORT}
    miniature.gives("Recover", output)
    said = sluice("recover", "--wait")
    assert said.code == 0
    assert said.out.splitlines()[:3] == [
        "recovered in 1 min 10 s; the wait for the primary was 1 min 5 s",
        "  The primary takes writes; the replica follows it.",
        "  complete: nothing remains",
    ]
    nothing = {"outcome": "nothing_missing", "waited": 0, "replay": {**REPORT, "planned": 0}}
    miniature.gives("Recover", nothing)
    assert sluice("recover", "--wait").out == "nothing was missing; the wait for the primary was 0 s\n"
    assert sluice("recover", "--wait", "--json").document["outcome"] == "nothing_missing"


def test_a_recovery_that_stands_by_waits_for_the_one_at_work(sluice: Sluice, miniature: Miniature) -> None:
    miniature.gives("Recover", {"outcome": "nothing_missing", "waited": 3, "replay": {**REPORT, "planned": 0}}, 1)
    holder = sluice("recover", "--json").document
    history = {"executionArn": holder["arn"]}
    # The emulator reads the definition only when it comes to an execution.
    wait_until(lambda: len(miniature.states.get_execution_history(**history)["events"]) > 1)
    miniature.gives("Recover", {"outcome": "standing_by", "holder": holder["arn"]})
    said = sluice("recover", "--wait", "--json")
    assert said.code == 0
    assert (said.document["execution"], said.document["outcome"]) == (holder["execution"], "nothing_missing")


def test_a_recovery_that_fails(sluice: Sluice, miniature: Miniature) -> None:
    miniature.fails("Recover", "Incomplete", "2 of 5 missing batches remain; the report is s3://b/r.")
    sentence = sluice("recover", "--wait").failure()
    assert sentence.startswith("recover failed with Incomplete: 2 of 5 missing batches remain; the report is s3://b/r.")


def test_a_dry_recovery_starts_nothing(sluice: Sluice, miniature: Miniature) -> None:
    before = len(miniature.executions("Recover"))
    miniature.answer("Plan", verify=remaining("batches/a", "batches/b"))
    said = sluice("recover", "--dry-run", "--from", "2026-01-02")
    assert said.code == 0
    assert said.out.startswith("dry run: nothing was started; batches missing: 2\n")
    assert len(miniature.executions("Recover")) == before
    assert miniature.asked[1][1]["request"] == {"from": "2026-01-02T00:00:00Z"}


def test_a_rebuild_needs_a_stack_that_has_one(sluice: Sluice) -> None:
    for words in ([], ["--dry-run"], ["--yes", NAME]):
        sentence = sluice("rebuild", *words).mistake()
        assert sentence == f"The stack {NAME} has no rebuild workflow: deploy a version that has it."


@pytest.fixture
def rebuilding(miniature: Miniature, monkeypatch: pytest.MonkeyPatch) -> Miniature:
    """A stack that has the workflow: the miniature's replay stands for it."""
    outputs = {**miniature.outputs, "RebuildStateMachineArn": miniature.outputs["ReplayStateMachineArn"]}
    monkeypatch.setattr("ops.stack.Stack.outputs", outputs)
    return miniature


def test_a_rebuild_is_confirmed_by_the_stacks_name(sluice: Sluice, rebuilding: Miniature) -> None:
    before = len(rebuilding.executions("Replay"))
    dry = sluice("rebuild", "--dry-run", "--exclude", "owner=a")
    assert dry.code == 0
    assert "'owners': ['a']" in dry.out
    assert "give --yes miniature" in sluice("rebuild").mistake()
    assert "Nothing was done" in sluice("rebuild", "--yes", "other").mistake()
    assert len(rebuilding.executions("Replay")) == before
    said = sluice("rebuild", "--yes", NAME, "--as-of", "2026-01-02", "--exclude", "owner=a", "--source", "archive")
    assert said.code == 0
    exclude = {"owners": ["a"], "collections": [], "from": None, "to": None, "versions": []}
    assert rebuilding.given("Replay") == {"as_of": "2026-01-02T00:00:00Z", "exclude": exclude, "source": "archive"}


def test_what_a_rebuild_made(sluice: Sluice, rebuilding: Miniature) -> None:
    rebuilding.gives("Replay", {**REPORT, "tables": {"things": {"rows": 5}}, "kept": ["things_until_x"]})
    said = sluice("rebuild", "--yes", NAME, "--wait")
    assert said.code == 0
    assert said.out.splitlines()[-2:] == ["  things: 5 rows", "  kept: things_until_x"]


class _Terminal(StringIO):
    def isatty(self) -> bool:
        return True


def _stack() -> Stack:
    return Stack(choose(NAME, None, None))


def test_who_stops_waiting_learns_what_goes_on(
    sluice: Sluice, miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    miniature.gives("Replay", REPORT, seconds=1)
    monkeypatch.setattr(progress, "items", _interrupt)
    said = sluice("replay", "--wait")
    assert (said.code, said.out) == (130, "")
    assert said.err.startswith("sluice: It goes on without you; `sluice executions replay-2")


def _interrupt(*_: Any) -> Any:
    raise KeyboardInterrupt


def test_a_bar_on_a_terminal_and_lines_elsewhere(
    sluice: Sluice, miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "items", lambda *_: (3, 12))
    miniature.gives("Replay", REPORT, seconds=1)
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    assert sluice("replay", "--wait").code == 0
    assert "3/12" in terminal.getvalue()
    assert "remaining" in terminal.getvalue()
    monkeypatch.undo()


def test_lines_where_there_is_no_terminal(
    sluice: Sluice, miniature: Miniature, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "items", lambda *_: (3, 12))
    monkeypatch.setattr(progress, "LINE_SECONDS", 0.3)
    miniature.gives("Replay", REPORT, seconds=1)
    said = sluice("replay", "--wait")
    assert said.err.splitlines()[0].endswith(": 3 of 12 batches")


def test_the_batches_of_every_map_run_are_counted(sluice: Sluice, miniature: Miniature) -> None:
    each = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "One",
        "States": {"One": {"Type": "Pass", "End": True}},
    }
    states = {
        "First": {"Type": "Map", "ItemProcessor": each, "MaxConcurrency": 2, "ResultPath": None, "Next": "Second"},
        "Second": {"Type": "Map", "ItemProcessor": each, "MaxConcurrency": 2, "ResultPath": None, "Next": "Wait"},
        "Wait": {"Type": "Wait", "Seconds": 2, "Next": "Say"},
        "Say": {"Type": "Pass", "Result": REPORT, "End": True},
    }
    for state in ("First", "Second"):
        states[state]["ItemsPath"] = "$.items"
    miniature.define("Replay", states)
    machine = miniature.outputs["ReplayStateMachineArn"]
    started = miniature.states.start_execution(stateMachineArn=machine, input=json.dumps({"items": [1, 2, 3]}))
    seen: list[tuple[int, int]] = []
    stack = _stack()
    with pytest.MonkeyPatch.context() as patch:
        count = progress.items

        def counting(*given: Any) -> tuple[int, int]:
            seen.append(count(*given))
            return seen[-1]

        patch.setattr(progress, "items", counting)
        assert progress.follow(stack, started["executionArn"]).status == "SUCCEEDED"
    assert seen[-1] == (6, 6)
