"""SIGKILL of the emulator under writes. `tests/drill/test_kills.py` does it ten times."""

import time
from typing import Any

import pytest

from local.stack import Stack
from tests.stack.killed_emulator import Writers, kill_and_start
from tests.stack.rebuild_harness import RebuildHarness
from tests.stack.waiting import eventually

pytestmark = [pytest.mark.stack("second"), pytest.mark.slow]


def test_a_killed_emulator_keeps_what_it_accepted(stack: Stack, client: Any) -> None:
    harness, writers = RebuildHarness(stack), Writers(client, stack.machine_token(), "K")
    keys = {batch["Key"] for batch in harness.s3.list_objects_v2(Bucket=harness.batches).get("Contents", [])}
    with writers.write_continuously():
        eventually(lambda: len(writers.accepted) > 50)
        time.sleep(0.5)
        seconds, lines = kill_and_start(stack)
        before = len(writers.accepted)
        eventually(lambda: len(writers.accepted) > before + 20)
    harness.wait_until_settled(writers.accepted)
    stored = harness.list_stored_versions(harness.batches, "batches/")
    assert {version.encode() for version in writers.accepted.values()} <= set(stored)
    assert keys <= {batch["Key"] for batch in harness.s3.list_objects_v2(Bucket=harness.batches)["Contents"]}
    assert any(line.startswith("the emulator had been killed") for line in lines)
    assert seconds < 30
