"""`sluice recover` and `sluice rebuild`."""

import json

import pytest

from tests.emulator.harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.miniature import HEALTHY, NAME, REPORT, Miniature, remaining


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
    miniature.answers["Survey"] = {**HEALTHY, "primary": {"answers": False, "takes_writes": False, "reason": "x"}}
    miniature.answer("Plan", verify={"raise": "DatabaseAway", "said": "gone"})
    said = sluice("recover", "--dry-run")
    assert (said.code, "what is missing cannot be told now" in said.out) == (0, True)


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
    head, shown = dry.out.splitlines()
    assert (head[:7], json.loads(shown)["exclude"]["owners"]) == ("dry run", ["a"])
    assert "give --yes miniature" in sluice("rebuild").mistake()
    assert "Nothing was done" in sluice("rebuild", "--yes", "other").mistake()
    assert len(rebuilding.executions("Replay")) == before
    more = ("--exclude", "owner=a", "--source", "archive", "--reason", "a", "--afresh")
    said = sluice("rebuild", "--yes", NAME, "--as-of", "2026-01-02", *more)
    assert said.code == 0
    exclude = {"owners": ["a"], "collections": [], "from": None, "to": None, "versions": []}
    given = {"as_of": "2026-01-02T00:00:00Z", "exclude": exclude, "source": "archive", "reason": "a", "afresh": True}
    assert rebuilding.given("Replay") == given


def test_what_a_rebuild_made(sluice: Sluice, rebuilding: Miniature) -> None:
    rebuilding.gives("Replay", {**REPORT, "tables": {"things": {"rows": 5}}, "kept": ["things_until_x"]})
    said = sluice("rebuild", "--yes", NAME, "--wait")
    assert said.code == 0
    assert said.out.splitlines()[-2:] == ["  things: 5 rows", "  kept: things_until_x"]
