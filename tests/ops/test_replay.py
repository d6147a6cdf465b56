"""`sluice replay`: what is started, what is printed, and the exit codes."""

import json
from typing import Any

import pytest

from tests.ops.conftest import Sluice
from tests.ops.miniature import REPORT, Miniature

WINDOW = ("--from", "2026-01-02", "--to", "2026-01-03")
ALL: dict[str, Any] = {
    "from": None,
    "to": None,
    "collections": [],
    "source": "batches",
    "mode": "missing",
    "dry_run": False,
}


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


def test_what_the_archive_has_are_objects(sluice: Sluice, miniature: Miniature) -> None:
    miniature.gives("Replay", {**REPORT, "request": {"source": "archive"}, "oldest": None})
    lines = sluice("replay", "--source", "archive", "--wait").out.splitlines()
    assert lines[1:3] == ["  listed     9 objects", "  planned    3 objects, 2.9 KiB"]


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
