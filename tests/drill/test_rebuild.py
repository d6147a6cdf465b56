"""Rebuild a lost database, to a point in time, without an owner, and during writes. Each test compares the tables."""

import datetime
import itertools
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from local.stack import Stack
from tests.stack.conftest import Person
from tests.stack.operator import Operator
from tests.stack.rebuild_harness import (
    RebuildHarness,
    build_code,
    compute_checksum,
    delete_airports,
    post_bookings,
    put_airports,
    write_continuously,
)
from tests.stack.recovery_harness import Versions
from tests.stack.waiting import eventually

YES = ("--yes", "sluice-local", "--wait")
CLIENTS, EACH = 6, 300


@pytest.fixture(scope="module")
def sluice(stack: Stack) -> Iterator[Operator]:
    """The command line. Deletes the rejected writes afterwards, because `status` would report them to other drills."""
    operator = Operator(stack)
    yield operator
    operator("rejected-writes", "drop", "--all", "--yes", "sluice-local")


@pytest.fixture
def rebuilding(stack: Stack) -> Iterator[RebuildHarness]:
    harness = RebuildHarness(stack)
    eventually(lambda: harness.recovery.run_replay()["status"] == "complete")
    yield harness
    stack.servers.start()
    eventually(lambda: harness.recovery.run_replay()["status"] == "complete")


@pytest.fixture
def writers(client: Any, stack: Stack) -> Any:
    """Writes of several clients at once: puts, overwriting puts, and deletes."""
    token = stack.machine_token()

    def write(mark: str, name: str = "") -> Versions:
        def share(number: int) -> Versions:
            mine: httpx.Client = client(token)
            own = f"{mark}{number}"
            versions = put_airports(mine, own, EACH, name)
            versions |= put_airports(mine, own, EACH // 10, "over")
            return versions | delete_airports(mine, [build_code(own, n) for n in range(0, EACH, 10)])

        with ThreadPoolExecutor(CLIENTS) as pool:
            return dict(itertools.chain.from_iterable(versions.items() for versions in pool.map(share, range(CLIENTS))))

    return write


@pytest.mark.timeout(900)
@pytest.mark.parametrize("source", ["batches", "archive"])
def test_a_lost_database_is_rebuilt(
    rebuilding: RebuildHarness, sluice: Operator, writers: Any, person: Person, source: str
) -> None:
    mark = {"batches": "4", "archive": "5"}[source]
    versions = writers(mark)
    rebuilding.wait_until_settled(versions)
    versions |= rebuilding.write_invalid_item(mark)
    bookings = {**post_bookings(person("ada"), 20, "lost"), **post_bookings(person("eve"), 20, "lost")}
    rebuilding.wait_until_loaded(bookings, "bookings")
    versions |= bookings
    items = None
    if source == "archive":
        # Batches that other drills put directly into the bucket are not in the archive.
        items = set(versions)
        rebuilding.wait_until_archived(versions)
    before = rebuilding.read_rows(items)
    with ExitStack() as contexts:
        emptied = contexts.enter_context(rebuilding.hide_batches()) if source == "archive" else 0
        began = time.monotonic()
        rebuilding.lose_databases()
        lost = time.monotonic() - began
        output = sluice("rebuild", *YES, "--source", source, "--json").document
        after = rebuilding.read_rows(items)
        missing = rebuilding.recovery.count_missing()
    print(
        f"\nlost database, from the {source}: {sum(map(len, before.values())):,} rows, "
        f"checksum {compute_checksum(before)}; both data directories removed, new ones started in {lost:.0f} s"
        f"{f', and {emptied} batches deleted' if emptied else ''}; rebuilt in {output['seconds']} s from "
        f"{output['loaded']} objects: {output['applied']:,} writes applied, {output['stale']:,} stale, "
        f"{output['rejected']} rejected; checksum {compute_checksum(after)}, {missing} batches missing"
    )
    assert (output["status"], output["remaining"], missing) == ("complete", 0, 0)
    assert after == before


@pytest.mark.timeout(600)
def test_a_rebuild_to_a_point_in_time_and_a_rebuild_without_an_owner(
    rebuilding: RebuildHarness, sluice: Operator, writers: Any, person: Person
) -> None:
    rebuilding.wait_until_settled(writers("6"))
    good, bad = post_bookings(person("grace"), 30, "good"), post_bookings(person("mallory"), 30, "bad")
    rebuilding.wait_until_loaded({**good, **bad}, "bookings")
    before, then = rebuilding.read_rows(), datetime.datetime.now(datetime.UTC)
    rebuilding.wait_until_settled(writers("6", "undone"))
    meanwhile = rebuilding.read_rows()
    output = sluice("rebuild", *YES, "--as-of", then.isoformat(), "--json").document
    after = rebuilding.read_rows()
    print(
        f"\nas of a moment: checksum {compute_checksum(before)}, then {compute_checksum(meanwhile)} after "
        f"{CLIENTS * EACH:,} items were overwritten; rebuilt in {output['seconds']} s; "
        f"checksum {compute_checksum(after)}"
    )
    assert after == before != meanwhile

    [[owner]] = {tuple(row.values()) for row in rebuilding.query("SELECT owner FROM bookings WHERE passenger = 'bad'")}
    expected = {table: {key: row for key, row in rows.items() if key[0] != owner} for table, rows in before.items()}
    output = sluice("rebuild", *YES, "--exclude", f"owner={owner}", "--reason", "a bad client", "--json").document
    after = rebuilding.read_rows()
    replayed = rebuilding.recovery.run_replay(mode="all")
    print(
        f"without an owner: {len(before['bookings'])} bookings, {len(after['bookings'])} after {output['seconds']} s; "
        f"checksum {compute_checksum(after)} of {compute_checksum(expected)} expected; and "
        f"{compute_checksum(rebuilding.read_rows())} after a replay of all {replayed['loaded']} batches"
    )
    assert after == expected
    assert rebuilding.read_rows() == expected


@pytest.mark.timeout(600)
def test_no_write_during_a_rebuild_is_lost(
    rebuilding: RebuildHarness, sluice: Operator, writers: Any, machine: httpx.Client
) -> None:
    writers("7")
    with write_continuously(machine, "8") as versions:
        eventually(lambda: len(versions) >= 50)
        outputs = [sluice("rebuild", *YES, "--json").document for _ in range(3)]
    rebuilding.wait_until_settled(versions)
    stored = {item: version for _, item, version in rebuilding.read_rows()["airports"]}
    wrong = {item for item, version in versions.items() if stored.get(item) != version}
    print(
        f"\nwrites during rebuilds: three in a row took {', '.join(str(output['seconds']) for output in outputs)} s; "
        f"after each swap {', '.join(str(output['after_swap']['loaded']) for output in outputs)} batches were loaded; "
        f"items that lack their last write: {len(wrong)} of {len(versions)}"
    )
    assert not wrong
    assert [output["status"] for output in outputs] == ["complete"] * 3
