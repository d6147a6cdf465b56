"""`sluice quarantine` and `sluice rejected-writes`."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.commands import rejected_writes
from testkit.emulator_harness import wait_until
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack

KEYS = ["batches/2026/01/02/00/a.gz", "batches/2026/01/02/00/b.gz"]
VERSION = "01M83TX6AKPEC90XWTBJRZ90MF"
REJECTED_WRITE = {
    "version": VERSION,
    "collection": "things",
    "id": "7",
    "reason": "note: Data too long",
    "object_key": KEYS[0],
    "line": 3,
}


@pytest.fixture
def quarantined(stub_stack: StubStack) -> StubStack:
    """A stack with two quarantined batches."""
    for key in KEYS:
        stub_stack.put_object(key, b"unreadable")
        stub_stack.put_object(f"quarantine/{key}", b"unreadable")
    return stub_stack


def test_the_quarantine_is_empty(sluice: Sluice, stub_stack: StubStack) -> None:
    assert sluice("quarantine", "list").stdout == "the quarantine is empty\n"
    assert sluice("quarantine", "list", "--json").document == []
    assert sluice("quarantine", "retry", "--all").stdout == "the quarantine is empty\n"


def test_quarantined_batches_are_listed(sluice: Sluice, quarantined: StubStack) -> None:
    quarantined.put_object("quarantine/notes.txt", b"another file")
    assert [batch["key"] for batch in sluice("quarantine", "list", "--json").document] == KEYS
    lines = sluice("quarantine", "list").stdout.splitlines()
    assert [line.split("  ")[-1] for line in lines] == ["batch", *KEYS]
    assert "10 bytes" in lines[1]


def test_a_quarantined_batch_is_retried(sluice: Sluice, quarantined: StubStack) -> None:
    quarantined.set_workflow_output("Load", {"status": "loaded"})
    output = sluice("quarantine", "retry", KEYS[0], "--wait")
    assert (output.exit_code, output.stdout) == (0, f"loaded  {KEYS[0]}\n")
    event = quarantined.latest_input("Load")["detail"]
    assert event["bucket"]["name"] == quarantined.bucket
    assert (event["object"]["key"], event["object"]["size"], len(event["object"]["etag"])) == (KEYS[0], 10, 32)
    assert quarantined.list_keys("quarantine/") == [f"quarantine/{KEYS[1]}"]
    assert sluice("quarantine", "retry", "--all", "--json").document["retried"][KEYS[1]]["status"] == "started"


def test_a_retried_batch_is_quarantined_again(sluice: Sluice, quarantined: StubStack) -> None:
    quarantined.set_workflow_failure("Load", "Quarantined", "The batch cannot be read.")
    output = sluice("quarantine", "retry", KEYS[0], "--wait")
    assert output.exit_code == 1
    assert output.stdout.splitlines()[0] == f"quarantined  {KEYS[0]}"
    assert "load_batch failed with Quarantined: The batch cannot be read." in output.stdout


def test_a_missing_batch_cannot_be_retried(sluice: Sluice, quarantined: StubStack) -> None:
    quarantined.s3.delete_object(Bucket=quarantined.bucket, Key=KEYS[0])
    output = sluice("quarantine", "retry", KEYS[0])
    assert output.exit_code == 1
    assert output.stdout.startswith(f"missing  {KEYS[0]}\n")
    assert f"quarantine/{KEYS[0]}" in quarantined.list_keys("quarantine/")


def test_a_dry_run_changes_nothing(sluice: Sluice, quarantined: StubStack) -> None:
    before = quarantined.list_keys()
    for action in ("retry", "drop"):
        output = sluice("quarantine", action, "--all", "--dry-run")
        assert output.stdout.startswith(f"dry run: would {action} 2 batches\n")
        assert sluice("quarantine", action, "--all", "--dry-run", "--json").document[action] == KEYS
    assert quarantined.list_keys() == before


def test_a_batch_is_dropped_after_a_confirmation(sluice: Sluice, quarantined: StubStack) -> None:
    before = quarantined.list_keys()
    assert f"give --yes {STACK_NAME}" in sluice("quarantine", "drop", KEYS[0]).usage_error()
    assert "Nothing was done" in sluice("quarantine", "drop", "--all", "--yes", "other").usage_error()
    assert quarantined.list_keys() == before
    assert sluice("quarantine", "drop", KEYS[0], "--yes", STACK_NAME).exit_code == 0
    assert quarantined.list_keys() == [KEYS[1], f"quarantine/{KEYS[1]}"]


def test_the_keys_must_be_given_and_quarantined(sluice: Sluice, quarantined: StubStack) -> None:
    assert "Give the keys of batches, or --all" in sluice("quarantine", "retry").usage_error()
    assert "Give the keys of batches, or --all" in sluice("quarantine", "retry", KEYS[0], "--all").usage_error()
    assert "nope is not quarantined" in sluice("quarantine", "drop", "nope", "--yes", STACK_NAME).usage_error()


def listed(stub_stack: StubStack, *writes: dict[str, Any], total: int = 0, after: str | None = None) -> None:
    stub_stack.set_response(
        "RejectedWrites", list={"total": total or len(writes), "rejected_writes": list(writes), "after": after}
    )


def actions(stub_stack: StubStack) -> list[str]:
    return [event["action"] for name, event in stub_stack.invocations if name == "RejectedWrites"]


def test_rejected_writes_are_listed(sluice: Sluice, stub_stack: StubStack) -> None:
    listed(stub_stack, REJECTED_WRITE, total=5)
    output = sluice("rejected-writes", "list", "--limit", "1")
    assert output.exit_code == 0
    assert output.stdout.splitlines() == [
        "5 rejected writes, the first 1:",
        f"{VERSION}  things/7",
        "    note: Data too long",
        f"    {KEYS[0]} line 3",
    ]
    document = sluice("rejected-writes", "list", "--collection", "things", "--json").document
    assert document == {"total": 5, "rejected_writes": [REJECTED_WRITE], "retrying": []}
    select = {"versions": [], "collections": ["things"], "ids": [], "batches": []}
    event = {"action": "list", "select": select, "after": "", "limit": 20, "data": False}
    assert stub_stack.invocations[-1] == ("RejectedWrites", event)


def test_data_is_printed_only_with_show_data(sluice: Sluice, stub_stack: StubStack) -> None:
    listed(stub_stack, {**REJECTED_WRITE, "owner": "ada", "write": '{"data":1}'})
    output = sluice("rejected-writes", "list", "--show-data")
    assert stub_stack.invocations[-1][1]["data"] is True
    assert f"{VERSION}  things/7 of ada" in output.stdout
    assert '    {"data":1}' in output.stdout


def test_every_page_is_listed(sluice: Sluice, stub_stack: StubStack) -> None:
    pages = [
        {"total": 2, "rejected_writes": [REJECTED_WRITE], "after": VERSION},
        {"total": 2, "rejected_writes": [REJECTED_WRITE], "after": None},
    ]
    stub_stack.set_response("RejectedWrites", list=pages)
    assert len(sluice("rejected-writes", "list", "--json").document["rejected_writes"]) == 2
    assert [event.get("after") for _, event in stub_stack.invocations] == [None, "", VERSION]


def test_a_retry_waits_until_the_writes_are_settled(sluice: Sluice, stub_stack: StubStack) -> None:
    listed(stub_stack, REJECTED_WRITE)
    put = {"batch": "batches/r", "writes": 2, "invalid": 0, "after": None}
    waits = {"settled": 0, "rejected_again": 0, "pending": ["batches/r", "batches/other"]}
    ends = {"settled": 2, "rejected_again": 0, "pending": ["batches/other"]}
    stub_stack.set_response("RejectedWrites", retry=put, settle=[waits, waits, ends])
    output = sluice("rejected-writes", "retry", "--all", "--wait")
    assert output.exit_code == 0
    assert output.stdout.splitlines() == ["retried 2 writes", "  batches/r", "2 loaded, 0 rejected again"]
    assert actions(stub_stack) == ["settle", "list", "retry", "settle", "settle"]


@pytest.mark.parametrize(
    ("put", "settled", "part"),
    [
        ({"invalid": 0}, {"settled": 1, "rejected_again": 1, "pending": []}, "1 loaded, 1 rejected again"),
        (
            {"invalid": 1},
            {"settled": 1, "rejected_again": 0, "pending": []},
            "1 write not retried: the text is not UTF-8",
        ),
        (
            {"invalid": 0},
            {"settled": 0, "rejected_again": 0, "pending": ["batches/r"]},
            "Not all writes were loaded in time",
        ),
    ],
)
def test_a_retry_that_does_not_load_every_write_is_incomplete(
    sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch, put: Any, settled: Any, part: str
) -> None:
    monkeypatch.setattr(rejected_writes, "WAIT_SECONDS", 0.3)
    listed(stub_stack, REJECTED_WRITE)
    stub_stack.set_response(
        "RejectedWrites", retry={"batch": "batches/r", "writes": 2, "after": None, **put}, settle=settled
    )
    output = sluice("rejected-writes", "retry", "--all", "--wait")
    assert output.exit_code == 1
    assert part in output.stdout


def test_a_retry_without_wait_only_prints_where_to_look(sluice: Sluice, stub_stack: StubStack) -> None:
    listed(stub_stack, REJECTED_WRITE)
    stub_stack.set_response("RejectedWrites", retry={"batch": "batches/r", "writes": 1, "invalid": 0, "after": None})
    output = sluice("rejected-writes", "retry", "--version", VERSION)
    assert (output.exit_code, output.stdout.splitlines()[-1]) == (
        0,
        "`sluice rejected-writes list` prints the writes that cannot be loaded.",
    )
    stub_stack.set_response(
        "RejectedWrites",
        retry={"batch": "", "writes": 0, "invalid": 1, "after": None},
        settle={"settled": 0, "rejected_again": 0, "pending": ["batches/r"]},
    )
    assert sluice("rejected-writes", "retry", "--version", VERSION).exit_code == 1
    assert "1 batch of retried writes not loaded yet" in sluice("rejected-writes", "list").stdout


def test_only_selected_writes_are_retried_or_dropped(sluice: Sluice, stub_stack: StubStack) -> None:
    listed(stub_stack, REJECTED_WRITE)
    first = {"batch": "batches/r", "writes": 2, "invalid": 0, "after": VERSION}
    stub_stack.set_response(
        "RejectedWrites",
        retry=[first, {"batch": "batches/s", "writes": 1, "invalid": 0, "after": None}],
        drop={"dropped": 1, "more": False},
    )
    words = ("--version", VERSION, "--collection", "things", "--id", "7", "--batch", KEYS[0])
    output = sluice("rejected-writes", "retry", *words, "--json")
    assert output.document == {"retried": 3, "invalid": 0, "batches": ["batches/r", "batches/s"]}
    assert sluice("rejected-writes", "drop", *words, "--yes", STACK_NAME).exit_code == 0
    select = {"versions": [VERSION], "collections": ["things"], "ids": ["7"], "batches": [KEYS[0]]}
    events = [event for _, event in stub_stack.invocations if event["action"] != "settle"]
    assert [event["action"] for event in events] == ["list", "retry", "retry", "list", "list", "drop"]
    assert [event["select"] for event in events] == [select] * 6
    assert [event["after"] for event in events[1:3]] == ["", VERSION]


def test_rejected_writes_are_dropped_after_a_confirmation(sluice: Sluice, stub_stack: StubStack) -> None:
    listed(stub_stack, REJECTED_WRITE)
    assert f"give --yes {STACK_NAME}" in sluice("rejected-writes", "drop", "--all").usage_error()
    assert "drop" not in actions(stub_stack)
    stub_stack.set_response("RejectedWrites", drop=[{"dropped": 1000, "more": True}, {"dropped": 3, "more": False}])
    output = sluice("rejected-writes", "drop", "--all", "--yes", STACK_NAME)
    assert (output.exit_code, output.stdout) == (0, "dropped 1,003 writes\n")


def test_writes_rejected_after_the_confirmation_are_not_dropped(
    sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the counted writes are dropped, by their versions, in pages that the function accepts."""
    there = [f"{number:026}" for number in range(1_100)]
    pages = [there[:500], there[500:1_000], there[1_000:]]
    responses = [
        {
            "total": 1_100,
            "rejected_writes": [{**REJECTED_WRITE, "version": version} for version in page],
            "after": after,
        }
        for page, after in zip(pages, [there[499], there[999], None], strict=True)
    ]
    # The first list only counts.
    stub_stack.set_response("RejectedWrites", list=[responses[0], *responses], drop={"dropped": 500, "more": False})
    effects: list[str] = []
    monkeypatch.setattr(
        rejected_writes, "require_confirmation", lambda _stack_name, effect, _typed_name: effects.append(effect)
    )
    assert sluice("rejected-writes", "drop", "--all").exit_code == 0
    assert effects == [f"drops 1,100 rejected writes of {STACK_NAME}"]
    dropped = [event["select"]["versions"] for _, event in stub_stack.invocations if event["action"] == "drop"]
    assert dropped == pages


def test_a_dry_run_for_rejected_writes_changes_nothing(sluice: Sluice, stub_stack: StubStack) -> None:
    listed(stub_stack, REJECTED_WRITE, total=4)
    for action in ("retry", "drop"):
        assert sluice("rejected-writes", action, "--all", "--dry-run").stdout == f"dry run: would {action} 4 writes\n"
    assert set(actions(stub_stack)) == {"settle", "list"}


def test_there_are_no_rejected_writes(sluice: Sluice, stub_stack: StubStack) -> None:
    for words in (["retry"], ["retry", "--wait"], ["drop"], ["drop", "--dry-run"]):
        output = sluice("rejected-writes", *words, "--all")
        assert (output.exit_code, output.stdout) == (0, "there are no rejected writes\n")
    assert set(actions(stub_stack)) == {"settle", "list"}


def test_writes_must_be_selected_and_match(sluice: Sluice, stub_stack: StubStack) -> None:
    assert "Select writes with --version" in sluice("rejected-writes", "retry").usage_error()
    assert "Select writes with --version" in sluice("rejected-writes", "drop", "--all", "--id", "7").usage_error()
    assert "No rejected write matches" in sluice("rejected-writes", "retry", "--id", "7").usage_error()
    assert "--limit must be 1" in sluice("rejected-writes", "list", "--limit", "0").usage_error()


def test_an_unavailable_primary_is_an_operation_error(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_response(
        "RejectedWrites", settle={"raise": "DatabaseUnavailable", "message": "OperationalError 2003"}
    )
    assert (
        sluice("rejected-writes", "list").operation_error()
        == "RejectedWritesFunction failed with DatabaseUnavailable: OperationalError 2003"
    )


def test_the_event_of_a_retried_batch_has_the_shape_of_s3s_event(sluice: Sluice, quarantined: StubStack) -> None:
    quarantined.set_workflow_output("Load", {"status": "loaded"})
    sluice("quarantine", "retry", KEYS[0])
    wait_until(lambda: json.dumps(quarantined.latest_input("Load")))
    sample = json.loads(Path("events/load_batch/delivered.json").read_text())["detail"]
    event = quarantined.latest_input("Load")["detail"]
    assert event["bucket"].keys() <= sample["bucket"].keys()
    assert event["object"].keys() <= sample["object"].keys()
