"""The emulator is killed ten times under writes. Every accepted write is in S3, in the tables and in a rebuild.

It is also killed during the first deployment, which the next `up` repeats.
"""

import random
import statistics
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.process import LocalError
from local.stack import Stack, down, up
from local.stack.deployment import read_status
from local.stack.folder import StackFolder
from local.stack.services import STACK_NAME, EmulatorProcess
from tests.stack.killed_emulator import Writers, kill_and_start
from tests.stack.operator import Operator
from tests.stack.rebuild_harness import RebuildHarness, compute_checksum
from tests.stack.samples import airport
from tests.stack.waiting import eventually

KILLS = 10


@dataclass
class Kills:
    """What happened: seconds of each start, what each repaired, executions of replays and the last rotation."""

    starts: list[float] = field(default_factory=list)
    repaired: list[str] = field(default_factory=list)
    replays: list[str] = field(default_factory=list)
    rotated: str = ""


@pytest.fixture
def harness(stack: Stack) -> Iterator[RebuildHarness]:
    harness = RebuildHarness(stack)
    eventually(lambda: harness.recovery.run_replay()["status"] == "complete")
    yield harness
    eventually(lambda: harness.recovery.run_replay()["status"] == "complete")


def kill_repeatedly(stack: Stack, harness: RebuildHarness, writers: Writers) -> Kills:
    """Kill the emulator at random moments under writes, some during a replay, some during a rotation."""
    generator, kills = random.Random(14), Kills()
    for number in range(KILLS):
        accepted = len(writers.accepted)
        eventually(lambda before=accepted: len(writers.accepted) > before + 20)  # type: ignore[misc]
        time.sleep(generator.uniform(0.5, 9))  # often a batch is transformed, delivered or loaded
        if number % 2:
            kills.replays.append(harness.recovery.start_workflow("Replay", {"mode": "all"}))
        if number % 3 == 2:
            if kills.rotated:
                eventually(lambda: read_secret_version(stack) == kills.rotated)
            rotation = stack.aws_client("secretsmanager").rotate_secret(SecretId=stack.outputs["LoaderSecretArn"])
            kills.rotated = rotation["VersionId"]
            time.sleep(generator.uniform(0, 0.5))
        seconds, lines = kill_and_start(stack)
        kills.starts.append(seconds)
        kills.repaired += [line for line in lines if "killed" in line]
    return kills


def read_secret_version(stack: Stack) -> str:
    secrets = stack.aws_client("secretsmanager")
    return str(secrets.get_secret_value(SecretId=stack.outputs["LoaderSecretArn"])["VersionId"])


@pytest.mark.timeout(1200)
def test_ten_kills_of_the_emulator_lose_no_accepted_write(stack: Stack, harness: RebuildHarness, client: Any) -> None:
    writers = Writers(client, stack.machine_token(), "9")
    with writers.write_continuously():
        kills = kill_repeatedly(stack, harness, writers)
        time.sleep(2)
    began = time.monotonic()
    harness.wait_until_settled(writers.accepted)
    settled_seconds = time.monotonic() - began
    assert {harness.recovery.wait_for_output(replay)["status"] for replay in kills.replays} == {"complete"}
    eventually(lambda: read_secret_version(stack) == kills.rotated)
    harness.wait_until_archived(writers.accepted)

    versions = {version.encode() for version in writers.accepted.values()}
    batches = harness.list_stored_versions(harness.batches, "batches/")
    archive = harness.list_stored_versions(harness.archive, "archive/")
    print(
        f"\n{KILLS} kills of the emulator: {len(writers.accepted):,} writes accepted, {writers.refused:,} not; "
        f"the stack was up again in {min(kills.starts):.1f} to {max(kills.starts):.1f} s, "
        f"{statistics.median(kills.starts):.1f} in the median; the tables had the last write {settled_seconds:.1f} s "
        f"after the writers stopped; lost: {len(versions - set(batches))} in the batches, "
        f"{len(versions - set(archive))} in the archive; delivered twice: {len(batches) - len(set(batches)):,} in the "
        f"batches, {len(archive) - len(set(archive)):,} in the archive"
    )
    print("\n".join(f"  {line}" for line in kills.repaired))
    assert len(kills.repaired) == KILLS
    assert versions <= set(batches)
    assert versions <= set(archive)
    rebuild_and_compare(stack, harness, writers)


def rebuild_and_compare(stack: Stack, harness: RebuildHarness, writers: Writers) -> None:
    """Rebuild from batches and from the archive, and compare the rows. The archive lacks batches of other drills."""
    sluice, written = Operator(stack), set(writers.accepted)
    for source, items in (("batches", None), ("archive", written)):
        before = harness.read_rows(items)
        output = sluice("rebuild", "--yes", "sluice-local", "--wait", "--source", source, "--json").document
        after = harness.read_rows(items)
        print(
            f"rebuilt from the {source} in {output['seconds']} s: {output['loaded']} objects, "
            f"{sum(map(len, after.values())):,} rows, checksum {compute_checksum(after)} "
            f"of {compute_checksum(before)} expected"
        )
        assert after == before
        stored = {item: version for _, item, version in after["airports"]}
        assert not {item for item, version in writers.accepted.items() if stored.get(item) != version}


@pytest.mark.timeout(600)
def test_a_first_deployment_that_a_kill_interrupts_is_repeated(tmp_path: Path) -> None:
    with ThreadPoolExecutor(1) as pool:
        killed = pool.submit(kill_during_creation, EmulatorProcess(StackFolder(tmp_path)))
        with pytest.raises(LocalError):
            up(tmp_path)
    began, lines = time.monotonic(), list[str]()
    try:
        stack = up(tmp_path, report_progress=lines.append)
        print(f"\nkilled with {killed.result()} resources of the stack; up again in {time.monotonic() - began:.1f} s")
        headers = {"Authorization": f"Bearer {stack.machine_token()}"}
        url = f"{stack.api_url}/v1/airports/KILL"
        assert httpx.put(url, json=airport("KILL"), headers=headers, trust_env=False).status_code == 202
        assert any("killed" in line for line in lines)
    finally:
        down(tmp_path, delete=True)


def kill_during_creation(emulator: EmulatorProcess) -> int:
    """Kill the emulator when it has created a part of the stack. Returns the number of resources."""

    def list_created() -> list[Any]:
        if emulator.pid is None or not emulator.is_healthy() or read_status(emulator) != "CREATE_IN_PROGRESS":
            return []
        resources = emulator.client("cloudformation").describe_stack_resources(StackName=STACK_NAME)["StackResources"]
        return [entry for entry in resources if entry["ResourceStatus"] == "CREATE_COMPLETE"]

    deadline = time.monotonic() + 300
    while len(created := list_created()) < 40 and time.monotonic() < deadline:
        time.sleep(0.02)
    emulator.kill()
    return len(created)
