"""The primary is lost, and restored from a dump that was created during the writes."""

import json
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from local.database import DatabaseServer
from local.stack import Stack
from tests.drill import batches
from tests.drill.traffic import Traffic
from tests.stack.database_dump import dump_database, load_dump
from tests.stack.operator import Operator
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually

WRITES = 3_000  # before the dump, and the same number after it


@pytest.mark.timeout(600)
def test_a_replay_loads_exactly_the_batches_that_a_restored_dump_lacks(
    stack: Stack, recovery: RecoveryHarness, sluice: Operator, traffic: Callable[[str], Traffic], tmp_path: Path
) -> None:
    writes, dump_path = traffic("R"), tmp_path / "sluice.sql"
    writes.write(WRITES)
    with writes.write_continuously():
        time.sleep(3)
        accepted = writes.accepted
        dump_database(stack, dump_path)
        during = writes.accepted - accepted
        time.sleep(3)
    writes.write(WRITES)
    eventually(
        lambda: batches.list_keys(recovery) == recovery.read_ledger() and _read_rows(stack, writes) == writes.rows
    )

    with recovery.disable_rules("RecoverySchedule", "BatchesParked"):
        _replace_server(stack, stack.servers.primary)
        load_dump(stack, dump_path)
        _create_users(stack)
        restored, ledger = recovery.read_ledger(), _read_ledger_rows(stack)
        after = batches.list_keys(recovery) - restored
        replica_states = sluice("status", "--json", code=1).document["replicas"]
        for server in stack.servers.replicas:
            _replace_server(stack, server)
        output = sluice("replay", "--wait", "--json").document
        second = sluice("replay", "--wait", "--json").document
    print(
        f"\nrestored: a dump created during writes ({during} arrived during the dump) had {len(restored)} of "
        f"{len(restored | after)} batches; the replay loaded {output['loaded']} with {output['applied']:,} rows in "
        f"{output['seconds']} s, a second one {second['loaded']}. The old replica, with the restored primary: "
        f"{replica_states[0]['reason']}; after it was created again, it replicated."
    )
    assert len(restored) > 2
    assert len(after) > 2
    assert batches.read_planned_keys(recovery, output) == after
    assert (output["status"], output["planned"], output["loaded"]) == ("complete", len(after), len(after))
    assert (second["status"], second["planned"], second["loaded"]) == ("complete", 0, 0)
    assert _read_ledger_rows(stack).items() >= ledger.items()
    assert not any(state["replicates"] for state in replica_states)
    assert _read_rows(stack, writes) == writes.rows
    stack.servers.wait_for_replicas()
    with stack.servers.replica.connect(*stack.servers.admin_credentials, database="sluice", autocommit=True) as replica:
        assert writes.read_rows(replica) == writes.rows
    assert all(state["replicates"] for state in sluice("status", "--json").document["replicas"])


def _replace_server(stack: Stack, server: DatabaseServer) -> None:
    """Remove a server's data, and start it as a new server."""
    server.kill()
    shutil.rmtree(server.data)
    stack.servers.start()


def _create_users(stack: Stack) -> None:
    """Run the migration: a dump of the schema has its tables, but not the two users, which belong to the server."""
    answer = stack.aws_client("lambda").invoke(FunctionName=stack.outputs["MigrateFunctionName"], Payload=b"{}")
    assert "FunctionError" not in answer, json.loads(answer["Payload"].read())


def _read_rows(stack: Stack, writes: Traffic) -> Any:
    with stack.servers.primary.connect(*stack.servers.admin_credentials, database="sluice", autocommit=True) as primary:
        return writes.read_rows(primary)


def _read_ledger_rows(stack: Stack) -> dict[Any, Any]:
    """Return the counts and the load time of each batch in the ledger."""
    with (
        stack.servers.primary.connect(*stack.servers.admin_credentials, database="sluice", autocommit=True) as primary,
        primary.cursor() as cursor,
    ):
        cursor.execute("SELECT object_key, etag, applied, stale, rejected, loaded_at FROM loaded_batches")
        return {row[:2]: row[2:] for row in cursor.fetchall()}
