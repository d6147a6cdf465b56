"""The console's server on the deployed stack."""

import datetime
import gzip
import json
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from local.stack import Stack
from ops.aws import Stack as OperatedStack
from ops.aws import choose_target
from sluice.model.record import Write, encode_write
from sluice.model.versions import new_version
from tests.ops.console_client import ConsoleClient, serve_console
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.samples import airport
from tests.stack.waiting import eventually

pytestmark = [pytest.mark.stack("second"), pytest.mark.slow]

ITEM = "CN01"


@pytest.fixture
def recovery(stack: Stack) -> RecoveryHarness:
    return RecoveryHarness(stack)


@pytest.fixture
def console(stack: Stack) -> Iterator[ConsoleClient]:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SLUICE_LOCAL", str(stack.folder.root))
        operated = OperatedStack(choose_target(None, None, None))
    with serve_console(operated) as client:
        yield client


def put_batch(recovery: RecoveryHarness, city: str) -> tuple[str, str]:
    """Put a batch with one write of the item. Returns its key, and the version."""
    now = datetime.datetime.now(datetime.UTC)
    write = Write(
        version=new_version(), collection="airports", id=ITEM, operation="put", owner="", accepted_at=now, schema=1,
        data=msgspec.Raw(json.dumps(airport(ITEM, city=city)).encode()),
    )  # fmt: skip
    key = f"batches/{now:%Y/%m/%d/%H}/test-console-{uuid4()}.jsonl.gz"
    recovery.s3.put_object(Bucket=recovery.bucket, Key=key, Body=gzip.compress(encode_write(write)))
    return key, write.version


def read_history(console: ConsoleClient) -> list[tuple[str, str, str, str | None]]:
    """Version, batch, state, and what superseded it, of each write of the item."""
    history = console.read(f"/api/items/airports/{ITEM}", hours=1)
    assert (history["is_complete"], history["problems"]) == (True, [])
    return [(write["version"], write["batch"], write["state"], write["superseded_by"]) for write in history["writes"]]


def has_accepted_writes(console: ConsoleClient) -> bool:
    return any(point["accepted"] > 0 for point in console.read("/api/timeline", minutes=5)["rates"])


def test_an_item_is_followed_from_its_request_through_a_replay(
    console: ConsoleClient, recovery: RecoveryHarness, machine: httpx.Client
) -> None:
    eventually(lambda: recovery.run_replay()["status"] == "complete")
    response = machine.put(f"/v1/airports/{ITEM}", json=airport(ITEM))
    assert response.status_code == 202
    first = response.json()["version"]

    def find_applied_write() -> Any:
        writes = console.read(f"/api/items/airports/{ITEM}", hours=1)["writes"]
        return next((write for write in writes if write["state"] == "applied"), None)

    write = eventually(find_applied_write)
    assert (write["version"], write["data"]["city"]) == (first, "Reykjavík")
    assert write["request_id"] == response.headers["x-amzn-requestid"]
    batch = console.read(f"/api/batches/{write['batch']}")
    assert batch["batch"]["state"] == "loaded"
    assert first in [entry["version"] for entry in batch["writes"]]

    # Batches whose load does not start; the second one has a write that the database rejects.
    with recovery.disable_rules("BatchDelivered"):
        (second_key, second), (bad_key, bad) = put_batch(recovery, "second"), put_batch(recovery, "x" * 200)
    assert read_history(console)[1:] == [(second, second_key, "pending", None), (bad, bad_key, "pending", None)]
    assert {row["key"] for row in console.read("/api/batches", state="pending")["rows"]} == {second_key, bad_key}
    lines, exit_code, _ = console.run_command("replay", dry_run=True)
    assert (lines[0], exit_code) == ("dry run: 2 batches would be loaded; nothing was changed", 0)
    assert [state for _, _, state, _ in read_history(console)] == ["applied", "pending", "pending"]
    lines, exit_code, report = console.run_command("replay", dry_run=False)
    assert (lines[0], exit_code, report["loaded"]) == ("complete: nothing remains", 0, 2)
    assert read_history(console) == [
        (first, write["batch"], "superseded", second), (second, second_key, "applied", None),
        (bad, bad_key, "rejected", None),
    ]  # fmt: skip
    timeline = console.read("/api/timeline", minutes=30)
    states = {batch["key"]: (batch["state"], batch["applied"], batch["rejected"]) for batch in timeline["batches"]}
    assert (states[second_key], states[bad_key]) == (("loaded", 1, 0), ("loaded", 0, 1))
    assert {"replay"} <= {execution["workflow"] for execution in timeline["executions"]}

    # The metrics of the functions arrive a moment later.
    assert eventually(lambda: has_accepted_writes(console))

    [rejected] = [row for row in console.read("/api/rejected-writes")["rows"] if row["version"] == bad]
    assert rejected["reason"].startswith("city: ")
    _, snapshot = next(console.stream_events("/api/events"))
    assert (snapshot["problems"], snapshot["status"]["primary"]["accepts_writes"]) == ([], True)
    assert snapshot["status"]["rejected_writes"] >= 1
    assert {alarm["runbook"] != "" for alarm in snapshot["alarms"]} == {True}
    drop = {"version": [bad]}
    console.run_command("rejected-writes drop", dry_run=True, **drop)
    lines, _, _ = console.run_command("rejected-writes drop", dry_run=False, confirmation="sluice-local", **drop)
    assert lines == ["dropped 1 write"]
