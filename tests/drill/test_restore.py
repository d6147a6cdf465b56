"""The primary lost, and restored from a dump that was taken in the middle of the writes."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.stack import Stack
from tests.drill import batches
from tests.drill.traffic import Traffic
from tests.stack.database_dump import dump_database, load_dump
from tests.stack.operator import Operator
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually

WRITES = 3_000  # before the dump, and again after it


@pytest.mark.timeout(600)
def test_a_restored_dump_is_brought_up_to_date_by_exactly_what_came_after_it(
    stack: Stack, back: RecoveryHarness, sluice: Operator, traffic: Callable[[str], Traffic], tmp_path: Path
) -> None:
    writes, dumped = traffic("R"), tmp_path / "sluice.sql"
    writes.write(WRITES)
    with writes.meanwhile():
        time.sleep(3)
        accepted = writes.accepted
        dump_database(stack, dumped)
        during = writes.accepted - accepted
        time.sleep(3)
    writes.write(WRITES)
    eventually(lambda: batches.keys(back) == back.read_ledger() and _found(stack, writes) == writes.rows)

    with back.disable_rules("RecoverySchedule", "BatchesParked"):
        _lose(stack, stack.pair.primary.data)
        load_dump(stack, dumped)
        _make_users(stack)
        restored, ledger = back.read_ledger(), _ledger_rows(stack)
        after = batches.keys(back) - restored
        stands = sluice("status", "--json", code=1).document["replica"]
        _lose(stack, stack.pair.replica.data)
        output = sluice("replay", "--wait", "--json").document
        again = sluice("replay", "--wait", "--json").document
    print(
        f"\nrestored: a dump taken under writes ({during} came while it was taken) had {len(restored)} of "
        f"{len(restored | after)} batches; the replay loaded {output['loaded']} with {output['applied']:,} rows in "
        f"{output['seconds']} s, a second one {again['loaded']}. The old replica, beside the restored primary: "
        f"{stands['reason']}; made anew, it followed."
    )
    assert len(restored) > 2
    assert len(after) > 2
    assert batches.planned(back, output) == after
    assert (output["status"], output["planned"], output["loaded"]) == ("complete", len(after), len(after))
    assert (again["status"], again["planned"], again["loaded"]) == ("complete", 0, 0)
    assert _ledger_rows(stack).items() >= ledger.items()
    assert stands["replicates"] is False
    assert _found(stack, writes) == writes.rows
    stack.pair.wait_for_replica()
    with stack.pair.replica.connect(*stack.pair.admin_credentials, database="sluice", autocommit=True) as replica:
        assert writes.found(replica) == writes.rows
    assert sluice("status", "--json").document["replica"]["replicates"] is True


def _lose(stack: Stack, data: Path) -> None:
    """Remove a server's data, and start it as a new one."""
    server = next(one for one in (stack.pair.primary, stack.pair.replica) if one.data == data)
    server.kill()
    shutil.rmtree(data)
    stack.pair.start()


def _make_users(stack: Stack) -> None:
    """Migrate by hand: a dump of the schema has its tables, but not the two users, who are the server's."""
    answer = stack.aws_client("lambda").invoke(FunctionName=stack.outputs["MigrateFunctionName"], Payload=b"{}")
    assert "FunctionError" not in answer, json.loads(answer["Payload"].read())


def _found(stack: Stack, writes: Traffic) -> Any:
    with stack.pair.primary.connect(*stack.pair.admin_credentials, database="sluice", autocommit=True) as primary:
        return writes.found(primary)


def _ledger_rows(stack: Stack) -> dict[Any, Any]:
    """When and with which counts each batch was loaded."""
    with (
        stack.pair.primary.connect(*stack.pair.admin_credentials, database="sluice", autocommit=True) as primary,
        primary.cursor() as cursor,
    ):
        cursor.execute("SELECT object_key, etag, applied, stale, rejected, loaded_at FROM loaded_batches")
        return {row[:2]: row[2:] for row in cursor.fetchall()}
