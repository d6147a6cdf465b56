"""Rebuild on the deployed stack; tests/drill does the same with more data."""

import datetime
import json
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from local.stack import Stack
from tests.stack.conftest import Person
from tests.stack.database_dump import dump_database, load_dump
from tests.stack.operator import Operator
from tests.stack.rebuild_harness import RebuildHarness, delete_airports, post_bookings, put_airports, write_continuously
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("second")

YES = ("--yes", "sluice-local")


@pytest.fixture(scope="module")
def sluice(stack: Stack) -> Operator:
    return Operator(stack)


@pytest.fixture(scope="module", autouse=True)
def whole(stack: Stack, sluice: Operator, machine_token: str) -> None:
    """Write something to S3, and rebuild the tables from it, because other tests change rows by hand."""
    headers = {"Authorization": f"Bearer {machine_token}"}
    with httpx.Client(base_url=stack.api_url, headers=headers, timeout=60, trust_env=False) as machine:
        RebuildHarness(stack).wait_until_settled(put_airports(machine, "VZ", 1))
    eventually(lambda: RebuildHarness(stack).recovery.run_replay()["status"] == "complete")
    sluice("rebuild", "--wait", *YES)
    sluice("rebuild", "--drop-retained", *YES)


@pytest.fixture
def rebuilding(stack: Stack) -> Iterator[RebuildHarness]:
    """Before each test, load what is missing and delete ledger rows without an object; afterwards, load the rest."""
    harness = RebuildHarness(stack)
    eventually(lambda: harness.recovery.run_replay()["status"] == "complete")
    harness.query("DELETE FROM loaded_batches WHERE object_key NOT LIKE 'batches/%%'")
    yield harness
    stack.servers.start()
    eventually(lambda: harness.recovery.run_replay()["status"] == "complete")


def test_a_lost_database_comes_back_from_the_batches(
    rebuilding: RebuildHarness, sluice: Operator, machine: httpx.Client, person: Person
) -> None:
    versions = put_airports(machine, "VA", 8)
    versions |= delete_airports(machine, ["VA01", "VA02"]) | put_airports(machine, "VA", 2, "again")
    rebuilding.wait_until_settled(versions)
    rebuilding.write_invalid_item("VA")
    bookings = post_bookings(person("ada"), 3, "lost")
    rebuilding.wait_until_loaded(bookings, "bookings")
    before = rebuilding.read_rows()
    rebuilding.lose_databases()
    assert sluice("status", code=1).stdout
    output = sluice("rebuild", "--wait", *YES, "--json").document
    assert (output["status"], output["remaining"], output["failed"]) == ("complete", 0, 0)
    assert rebuilding.read_rows() == before
    assert output["tables"]["airports"]["rows"] + output["tables"]["airports"]["deleted"] == len(before["airports"])
    assert {version for _, item, version in before["airports"] if item == "VA01"} == {versions["VA01"]}
    eventually(lambda: person("ada").get(f"/v1/bookings/{next(iter(bookings))}").status_code == 200)
    report = rebuilding.s3.get_object(Bucket=output["report"]["bucket"], Key=output["report"]["key"])["Body"].read()
    assert {**json.loads(report), "execution": output["execution"]} == output
    assert rebuilding.list_schemas() == output["retained"]
    assert rebuilding.recovery.count_missing() == 0


@pytest.mark.slow
def test_a_lost_database_comes_back_from_the_archive_without_any_batch(
    rebuilding: RebuildHarness, sluice: Operator, machine: httpx.Client
) -> None:
    versions = put_airports(machine, "VB", 5) | delete_airports(machine, ["VB01"])
    rebuilding.wait_until_settled(versions)
    versions |= rebuilding.write_invalid_item("VB")
    rebuilding.stack.emulator.back_up()
    rebuilding.wait_until_archived(versions)
    before = rebuilding.read_rows(versions)
    with rebuilding.hide_batches():
        assert "There is no object under batches/" in sluice("rebuild", *YES, "--wait", code=2).stderr
        rebuilding.lose_databases()
        output = sluice("rebuild", "--wait", *YES, "--source", "archive", "--json").document
        assert (output["status"], output["failed"]) == ("complete", 0)
        assert rebuilding.read_rows(versions) == before
    later_writes = put_airports(machine, "VB", 1, "later")
    rebuilding.wait_until_loaded(later_writes)


@pytest.mark.slow
def test_later_writes_stay_excluded_after_a_rebuild_as_of_a_time(
    rebuilding: RebuildHarness, sluice: Operator, machine: httpx.Client
) -> None:
    rebuilding.wait_until_settled(put_airports(machine, "VC", 4))
    before, then = rebuilding.read_rows(), datetime.datetime.now(datetime.UTC)
    delete_airports(machine, ["VC00"])
    rebuilding.wait_until_settled(put_airports(machine, "VC", 6, "undone"))
    assert rebuilding.read_rows() != before
    output = sluice("rebuild", "--wait", *YES, "--as-of", then.isoformat(), "--reason", "undo", "--json").document
    assert output["status"] == "complete"
    assert rebuilding.read_rows() == before
    # Neither a recovery, nor a full replay, nor a repeated event, nor the next rebuild restores it.
    assert (
        rebuilding.recovery.wait_for_output(rebuilding.recovery.start_workflow("Recover", {}))["outcome"]
        == "nothing_missing"
    )
    assert rebuilding.recovery.run_replay(mode="all")["status"] == "complete"
    assert rebuilding.read_rows() == before
    assert output["execution"] in sluice("rebuild", "--wait", *YES, "--json").document["excluded"]
    assert rebuilding.read_rows() == before
    rebuilding.wait_until_loaded(put_airports(machine, "VC", 6, "anew"))
    assert len([item for _, item, _ in rebuilding.read_rows()["airports"] if item.startswith("VC")]) == 6


@pytest.mark.slow
def test_without_an_owner(rebuilding: RebuildHarness, sluice: Operator, person: Person) -> None:
    good, bad = post_bookings(person("grace"), 2, "good"), post_bookings(person("mallory"), 2, "bad")
    rebuilding.wait_until_loaded({**good, **bad}, "bookings")
    [[owner]] = {tuple(row.values()) for row in rebuilding.query("SELECT owner FROM bookings WHERE passenger = 'bad'")}
    before = rebuilding.read_rows()
    output = sluice("rebuild", "--wait", *YES, "--exclude", f"owner={owner}", "--json").document
    assert output["status"] == "complete"
    expected = {table: {key: row for key, row in rows.items() if key[0] != owner} for table, rows in before.items()}
    assert rebuilding.read_rows() == expected
    later_writes = post_bookings(person("mallory"), 1, "better")
    rebuilding.wait_until_loaded(later_writes, "bookings")


@pytest.mark.slow
def test_exclusions_survive_the_loss_of_the_database(
    rebuilding: RebuildHarness, sluice: Operator, machine: httpx.Client, tmp_path: Path
) -> None:
    """After the restore of an older dump the replay reads the exclusions; with an empty database the rebuild does."""
    rebuilding.wait_until_settled(put_airports(machine, "VH", 2, "good"))
    dump_database(rebuilding.stack, tmp_path / "before.sql")
    bad = put_airports(machine, "VH", 2, "bad")
    rebuilding.wait_until_settled(bad)
    words = [f"version={version}" for version in bad.values()]
    output = sluice("rebuild", "--wait", *YES, "--exclude", ",".join(words), "--json").document
    before = rebuilding.read_rows()
    assert not {version for _, _, version in before["airports"]} & {*bad.values()}
    load_dump(rebuilding.stack, tmp_path / "before.sql")
    recovered = sluice("recover", "--wait", "--json").document
    assert output["execution"] in recovered["replay"]["synced_exclusions"]
    assert "until the next `sluice rebuild`" in recovered["replay"]["advice"]
    assert rebuilding.read_rows() == before
    assert sluice("recover", "--wait", "--json").document["outcome"] == "nothing_missing"
    rebuilding.lose_databases()
    assert output["execution"] in sluice("rebuild", "--wait", *YES, "--json").document["excluded"]
    assert rebuilding.read_rows() == before


@pytest.mark.slow
def test_writes_during_a_rebuild_are_loaded_after_it(
    rebuilding: RebuildHarness, sluice: Operator, machine: httpx.Client
) -> None:
    put_airports(machine, "VD", 20)
    with write_continuously(machine, "VE") as versions:
        eventually(lambda: len(versions) > 10)
        output = sluice("rebuild", "--wait", *YES, "--json").document
    assert output["status"] == "complete"
    rebuilding.wait_until_settled(versions)
    versions_by_item = {item: version for _, item, version in rebuilding.read_rows()["airports"]}
    assert {item: versions_by_item.get(item) for item in versions} == versions


@pytest.mark.slow
def test_one_rebuild_at_a_time_and_a_killed_one_can_run_again(
    rebuilding: RebuildHarness, sluice: Operator, machine: httpx.Client
) -> None:
    rebuilding.wait_until_settled(put_airports(machine, "VF", 5))
    before = rebuilding.read_rows()
    recovery = rebuilding.recovery
    servers = recovery.stack.servers
    with servers.primary.connect(*servers.admin_credentials) as connection, connection.cursor() as cursor:
        # With the lock of the migrations, no rebuild can create or swap tables.
        cursor.execute("SELECT GET_LOCK('sluice sluice', 10)")
        first = sluice("rebuild", *YES, "--json").document
        eventually(lambda: "Migrate" in _states(recovery, first["arn"]))
        refusal = sluice("rebuild", "--wait", *YES, code=2)
        assert f"Another rebuild is running: {first['execution']}. Wait for it, or stop it." in refusal.stderr
        recovery.states.stop_execution(executionArn=first["arn"])
        eventually(lambda: recovery.states.describe_execution(executionArn=first["arn"])["status"] == "ABORTED")
    assert sluice("rebuild", "--wait", *YES, "--json").document["status"] == "complete"
    assert rebuilding.read_rows() == before


def _states(recovery: RecoveryHarness, arn: str) -> set[str]:
    history = recovery.states.get_execution_history(executionArn=arn)["events"]
    return {event.get("stateEnteredEventDetails", {}).get("name") for event in history}


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["--as-of", "2126-01-01"], "is in the future"),
        (
            ["--exclude", "collection=birds"],
            "There is no collection 'birds'; there are airports, bookings, sluice_canary.",
        ),
        (["--exclude", "version=1"], "'1' is not a version"),
        (["--exclude", "from=2h,to=3h"], "before it begins"),
        (["--drop-retained", "sluice"], "retained schema"),
    ],
)
def test_a_usage_error_is_one_sentence_with_a_hint(
    sluice: Operator, rebuilding: RebuildHarness, words: list[str], part: str
) -> None:
    assert part in sluice("rebuild", "--wait", *YES, *words, code=2).usage_error()


@pytest.mark.slow
def test_retained_schemas_are_listed_and_dropped(rebuilding: RebuildHarness, sluice: Operator) -> None:
    output = sluice("rebuild", "--wait", *YES, "--json").document
    [schema] = output["retained"]
    assert schema in sluice("rebuild", "--retained").stdout
    assert sluice("rebuild", "--drop-retained", schema, code=2).stderr.endswith("give --yes sluice-local.\n")
    assert sluice("rebuild", "--drop-retained", schema, *YES).stdout == f"dropped {schema}\n"
    sluice("rebuild", "--drop-retained", *YES, code=0 if rebuilding.list_schemas() else 2)
    assert rebuilding.list_schemas() == []
    assert sluice("rebuild", "--retained").stdout == "there are no retained schemas\n"
