"""`sluice quarantine` and `sluice rejected-writes`."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.commands import rejected_writes as rejects
from tests.emulator.harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack

KEYS = ["batches/2026/01/02/00/a.gz", "batches/2026/01/02/00/b.gz"]
VERSION = "01M83TX6AKPEC90XWTBJRZ90MF"
REJECT = {
    "version": VERSION,
    "collection": "things",
    "id": "7",
    "reason": "note: Data too long",
    "object_key": KEYS[0],
    "line": 3,
}


@pytest.fixture
def aside(miniature: StubStack) -> StubStack:
    """Two batches in quarantine."""
    for key in KEYS:
        miniature.put_object(key, b"unreadable")
        miniature.put_object(f"quarantine/{key}", b"unreadable")
    return miniature


def test_nothing_is_in_quarantine(sluice: Sluice, miniature: StubStack) -> None:
    assert sluice("quarantine", "list").stdout == "nothing is in quarantine\n"
    assert sluice("quarantine", "list", "--json").document == []
    assert sluice("quarantine", "retry", "--all").stdout == "nothing is in quarantine\n"


def test_quarantine_is_listed(sluice: Sluice, aside: StubStack) -> None:
    aside.put_object("quarantine/notes.txt", b"somebody's")
    assert [one["key"] for one in sluice("quarantine", "list", "--json").document] == KEYS
    lines = sluice("quarantine", "list").stdout.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["batch", *KEYS]
    assert "10 bytes" in lines[1]


def test_a_batch_is_loaded_again(sluice: Sluice, aside: StubStack) -> None:
    aside.set_workflow_output("Load", {"status": "loaded"})
    said = sluice("quarantine", "retry", KEYS[0], "--wait")
    assert (said.exit_code, said.stdout) == (0, f"loaded  {KEYS[0]}\n")
    given = aside.latest_input("Load")["detail"]
    assert given["bucket"]["name"] == aside.bucket
    assert (given["object"]["key"], given["object"]["size"], len(given["object"]["etag"])) == (KEYS[0], 10, 32)
    assert aside.list_keys("quarantine/") == [f"quarantine/{KEYS[1]}"]
    assert sluice("quarantine", "retry", "--all", "--json").document["retried"][KEYS[1]]["status"] == "started"


def test_a_batch_that_still_cannot_be_read(sluice: Sluice, aside: StubStack) -> None:
    aside.set_workflow_failure("Load", "Quarantined", "The batch cannot be read.")
    said = sluice("quarantine", "retry", KEYS[0], "--wait")
    assert said.exit_code == 1
    assert said.stdout.splitlines()[0] == f"quarantined  {KEYS[0]}"
    assert "load_batch failed with Quarantined: The batch cannot be read." in said.stdout


def test_a_batch_that_is_gone(sluice: Sluice, aside: StubStack) -> None:
    aside.s3.delete_object(Bucket=aside.bucket, Key=KEYS[0])
    said = sluice("quarantine", "retry", KEYS[0])
    assert said.exit_code == 1
    assert said.stdout.startswith(f"gone  {KEYS[0]}\n")
    assert f"quarantine/{KEYS[0]}" in aside.list_keys("quarantine/")


def test_a_dry_run_touches_nothing(sluice: Sluice, aside: StubStack) -> None:
    before = aside.list_keys()
    for action in ("retry", "drop"):
        said = sluice("quarantine", action, "--all", "--dry-run")
        assert said.stdout.startswith(f"dry run: would {action} 2 batches\n")
        assert sluice("quarantine", action, "--all", "--dry-run", "--json").document[action] == KEYS
    assert aside.list_keys() == before


def test_a_batch_is_dropped_when_that_is_confirmed(sluice: Sluice, aside: StubStack) -> None:
    before = aside.list_keys()
    assert f"give --yes {STACK_NAME}" in sluice("quarantine", "drop", KEYS[0]).usage_error()
    assert "Nothing was done" in sluice("quarantine", "drop", "--all", "--yes", "other").usage_error()
    assert aside.list_keys() == before
    assert sluice("quarantine", "drop", KEYS[0], "--yes", STACK_NAME).exit_code == 0
    assert aside.list_keys() == [KEYS[1], f"quarantine/{KEYS[1]}"]


def test_batches_must_be_named_and_there(sluice: Sluice, aside: StubStack) -> None:
    assert "Name batches, or give --all" in sluice("quarantine", "retry").usage_error()
    assert "Name batches, or give --all" in sluice("quarantine", "retry", KEYS[0], "--all").usage_error()
    assert "nope is not in quarantine" in sluice("quarantine", "drop", "nope", "--yes", STACK_NAME).usage_error()


def listed(miniature: StubStack, *found: dict[str, Any], total: int = 0, after: str | None = None) -> None:
    miniature.set_response("Rejects", list={"total": total or len(found), "rejects": list(found), "after": after})


def actions(miniature: StubStack) -> list[str]:
    return [event["action"] for name, event in miniature.invocations if name == "RejectedWrites"]


def test_rejects_are_listed(sluice: Sluice, miniature: StubStack) -> None:
    listed(miniature, REJECT, total=5)
    said = sluice("rejects", "list", "--limit", "1")
    assert said.exit_code == 0
    assert said.stdout.splitlines() == [
        "5 rejected writes, the first 1:",
        f"{VERSION}  things/7",
        "    note: Data too long",
        f"    {KEYS[0]} line 3",
    ]
    document = sluice("rejects", "list", "--collection", "things", "--json").document
    assert document == {"total": 5, "rejects": [REJECT], "retrying": []}
    select = {"versions": [], "collections": ["things"], "ids": [], "batches": []}
    event = {"action": "list", "select": select, "after": "", "limit": 20, "data": False}
    assert miniature.invocations[-1] == ("RejectedWrites", event)


def test_data_is_shown_only_when_it_is_asked_for(sluice: Sluice, miniature: StubStack) -> None:
    listed(miniature, {**REJECT, "owner": "ada", "write": '{"data":1}'})
    said = sluice("rejects", "list", "--show-data")
    assert miniature.invocations[-1][1]["data"] is True
    assert f"{VERSION}  things/7 of ada" in said.stdout
    assert '    {"data":1}' in said.stdout


def test_pages_are_gone_through(sluice: Sluice, miniature: StubStack) -> None:
    pages = [
        {"total": 2, "rejects": [REJECT], "after": VERSION},
        {"total": 2, "rejects": [REJECT], "after": None},
    ]
    miniature.set_response("Rejects", list=pages)
    assert len(sluice("rejects", "list", "--json").document["rejects"]) == 2
    assert [event.get("after") for _, event in miniature.invocations] == [None, "", VERSION]


def test_what_is_retried_is_waited_for(sluice: Sluice, miniature: StubStack) -> None:
    listed(miniature, REJECT)
    put = {"batch": "batches/r", "writes": 2, "broken": 0, "after": None}
    waits = {"settled": 0, "again": 0, "pending": ["batches/r", "batches/other"]}
    ends = {"settled": 2, "again": 0, "pending": ["batches/other"]}
    miniature.set_response("Rejects", retry=put, settle=[waits, waits, ends])
    said = sluice("rejects", "retry", "--all", "--wait")
    assert said.exit_code == 0
    assert said.stdout.splitlines() == ["retried 2 writes", "  batches/r", "2 loaded, 0 rejected again"]
    assert actions(miniature) == ["settle", "list", "retry", "settle", "settle"]


@pytest.mark.parametrize(
    ("put", "settled", "part"),
    [
        ({"broken": 0}, {"settled": 1, "again": 1, "pending": []}, "1 loaded, 1 rejected again"),
        ({"broken": 1}, {"settled": 1, "again": 0, "pending": []}, "1 write not retried: the text was no UTF-8"),
        ({"broken": 0}, {"settled": 0, "again": 0, "pending": ["batches/r"]}, "Not all were loaded in time"),
    ],
)
def test_what_was_not_loaded_remains(
    sluice: Sluice, miniature: StubStack, monkeypatch: pytest.MonkeyPatch, put: Any, settled: Any, part: str
) -> None:
    monkeypatch.setattr(rejects, "WAIT_SECONDS", 0.3)
    listed(miniature, REJECT)
    miniature.set_response("Rejects", retry={"batch": "batches/r", "writes": 2, "after": None, **put}, settle=settled)
    said = sluice("rejects", "retry", "--all", "--wait")
    assert said.exit_code == 1
    assert part in said.stdout


def test_without_waiting_a_retry_only_says_where_to_look(sluice: Sluice, miniature: StubStack) -> None:
    listed(miniature, REJECT)
    miniature.set_response("Rejects", retry={"batch": "batches/r", "writes": 1, "broken": 0, "after": None})
    said = sluice("rejects", "retry", "--version", VERSION)
    assert (said.exit_code, said.stdout.splitlines()[-1]) == (
        0,
        "`sluice rejected-writes list` shows what could not be loaded.",
    )
    miniature.set_response(
        "Rejects",
        retry={"batch": "", "writes": 0, "broken": 1, "after": None},
        settle={"settled": 0, "again": 0, "pending": ["batches/r"]},
    )
    assert sluice("rejects", "retry", "--version", VERSION).exit_code == 1
    assert "1 batch of retried writes not loaded yet" in sluice("rejects", "list").stdout


def test_only_what_is_named_is_retried_or_dropped(sluice: Sluice, miniature: StubStack) -> None:
    listed(miniature, REJECT)
    first = {"batch": "batches/r", "writes": 2, "broken": 0, "after": VERSION}
    miniature.set_response(
        "Rejects",
        retry=[first, {"batch": "batches/s", "writes": 1, "broken": 0, "after": None}],
        drop={"dropped": 1, "more": False},
    )
    words = ("--version", VERSION, "--collection", "things", "--id", "7", "--batch", KEYS[0])
    said = sluice("rejects", "retry", *words, "--json")
    assert said.document == {"retried": 3, "broken": 0, "batches": ["batches/r", "batches/s"]}
    assert sluice("rejects", "drop", *words, "--yes", STACK_NAME).exit_code == 0
    select = {"versions": [VERSION], "collections": ["things"], "ids": ["7"], "batches": [KEYS[0]]}
    asked = [event for _, event in miniature.invocations if event["action"] != "settle"]
    assert [event["action"] for event in asked] == ["list", "retry", "retry", "list", "list", "drop"]
    assert [event["select"] for event in asked] == [select] * 6
    assert [event["after"] for event in asked[1:3]] == ["", VERSION]


def test_rejects_are_dropped_when_that_is_confirmed(sluice: Sluice, miniature: StubStack) -> None:
    listed(miniature, REJECT)
    assert f"give --yes {STACK_NAME}" in sluice("rejects", "drop", "--all").usage_error()
    assert "drop" not in actions(miniature)
    miniature.set_response("Rejects", drop=[{"dropped": 1000, "more": True}, {"dropped": 3, "more": False}])
    said = sluice("rejects", "drop", "--all", "--yes", STACK_NAME)
    assert (said.exit_code, said.stdout) == (0, "dropped 1,003 writes\n")


def test_what_is_rejected_meanwhile_is_not_dropped_unseen(
    sluice: Sluice, miniature: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only what was counted goes, by its versions, and as many at a time as the function takes."""
    there = [f"{number:026}" for number in range(1_100)]
    pages = [there[:500], there[500:1_000], there[1_000:]]
    found = [
        {"total": 1_100, "rejects": [{**REJECT, "version": one} for one in page], "after": after}
        for page, after in zip(pages, [there[499], there[999], None], strict=True)
    ]
    # The first list only counts.
    miniature.set_response("Rejects", list=[found[0], *found], drop={"dropped": 500, "more": False})
    asked: list[str] = []
    monkeypatch.setattr(rejects, "confirm", lambda _stack, what, _yes: asked.append(what))
    assert sluice("rejects", "drop", "--all").exit_code == 0
    assert asked == [f"forgets 1,100 rejected writes of {STACK_NAME}"]
    dropped = [event["select"]["versions"] for _, event in miniature.invocations if event["action"] == "drop"]
    assert dropped == pages


def test_a_dry_run_of_rejects_touches_nothing(sluice: Sluice, miniature: StubStack) -> None:
    listed(miniature, REJECT, total=4)
    for action in ("retry", "drop"):
        assert sluice("rejects", action, "--all", "--dry-run").stdout == f"dry run: would {action} 4 writes\n"
    assert set(actions(miniature)) == {"settle", "list"}


def test_nothing_is_rejected(sluice: Sluice, miniature: StubStack) -> None:
    for words in (["retry"], ["retry", "--wait"], ["drop"], ["drop", "--dry-run"]):
        said = sluice("rejects", *words, "--all")
        assert (said.exit_code, said.stdout) == (0, "there are no rejected writes\n")
    assert set(actions(miniature)) == {"settle", "list"}


def test_which_rejects_must_be_said_and_fit(sluice: Sluice, miniature: StubStack) -> None:
    assert "Say which" in sluice("rejects", "retry").usage_error()
    assert "Say which" in sluice("rejects", "drop", "--all", "--id", "7").usage_error()
    assert "No rejected write fits" in sluice("rejects", "retry", "--id", "7").usage_error()
    assert "--limit must be 1" in sluice("rejects", "list", "--limit", "0").usage_error()


def test_a_primary_that_is_away_is_told(sluice: Sluice, miniature: StubStack) -> None:
    miniature.set_response("Rejects", settle={"raise": "DatabaseUnavailable", "said": "OperationalError 2003"})
    assert (
        sluice("rejects", "list").operation_error()
        == "RejectedWritesFunction failed with DatabaseUnavailable: OperationalError 2003"
    )


def test_the_events_of_a_batch_are_those_of_s3(sluice: Sluice, aside: StubStack) -> None:
    aside.set_workflow_output("Load", {"status": "loaded"})
    sluice("quarantine", "retry", KEYS[0])
    wait_until(lambda: json.dumps(aside.latest_input("Load")))
    sample = json.loads(Path("events/load_batch/delivered.json").read_text())["detail"]
    given = aside.latest_input("Load")["detail"]
    assert given["bucket"].keys() <= sample["bucket"].keys()
    assert given["object"].keys() <= sample["object"].keys()
