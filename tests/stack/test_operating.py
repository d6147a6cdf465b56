"""The operators' command in a checkout, on the deployed stack."""

from collections.abc import Iterator
from typing import Any

import pytest

from local.stack import Stack
from tests.stack.operator import Operator
from tests.stack.recovery_harness import RecoveryHarness
from tests.stack.waiting import eventually

pytestmark = pytest.mark.stack("first")

UNREADABLE = "batches/2026/01/01/00/test-operating.jsonl.gz"


@pytest.fixture(scope="module")
def sluice(stack: Stack) -> Operator:
    return Operator(stack)


@pytest.fixture(scope="module")
def recovery(stack: Stack) -> RecoveryHarness:
    # Other tests make Firehose reject records on purpose, and `status` would report these.
    s3, bucket = stack.aws_client("s3"), stack.outputs["BatchBucketName"]
    for entry in s3.list_objects_v2(Bucket=bucket, Prefix="errors/").get("Contents", []):
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    return RecoveryHarness(stack)


@pytest.fixture(autouse=True)
def whole(recovery: RecoveryHarness) -> Iterator[None]:
    """Before and after each test, load what is missing."""
    eventually(lambda: recovery.run_replay()["status"] == "complete")
    yield
    eventually(lambda: recovery.run_replay()["status"] == "complete")


def test_pending_batches_are_reported_planned_and_replayed(sluice: Operator, recovery: RecoveryHarness) -> None:
    versions = recovery.put_batches("OA", 4)
    report = sluice("status", "--json").document
    replicates = [replica["replicates"] for replica in report["replicas"]]
    assert (report["primary"]["accepts_writes"], set(replicates), report["advice"]) == (True, {True}, [])
    assert report["pending"]["batches"] == 4
    assert report["pending"]["age_seconds"] < 120
    before = recovery.read_checksums()
    output = sluice("replay", "--dry-run")
    assert output.stdout.startswith("dry run: 4 batches would be loaded; nothing was changed\n")
    assert recovery.read_checksums() == before
    output = sluice("replay", "--wait", "--from", "1h", "--json").document
    assert (output["status"], output["loaded"], output["remaining"]) == ("complete", 4, 0)
    assert recovery.read_versions("OA") == versions
    assert "pending       0 batches" in sluice("status").stdout


@pytest.mark.slow
def test_a_recovery_is_followed_and_listed_among_the_executions(sluice: Operator, recovery: RecoveryHarness) -> None:
    versions = recovery.put_batches("OB", 2)
    assert "missing: 2 batches" in sluice("recover", "--dry-run").stdout
    result = sluice("recover", "--wait", "--json").document
    assert result["outcome"] in {"recovered", "nothing_missing"}
    assert recovery.read_versions("OB") == versions
    listed = sluice("executions", "--json").document
    assert result["execution"] in {entry["execution"] for entry in listed}
    details = sluice("executions", result["execution"])
    assert f"recover {result['execution']}: succeeded" in details.stdout


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["replay", "--from", "2020-01-01", "--to", "2020-01-02"], "The batches bucket has no object in the window"),
        (
            ["replay", "--collection", "nope"],
            "There is no collection 'nope'; there are airports, bookings, sluice_canary.",
        ),
        (["replay", "--from", "2126-01-01"], "is in the future"),
        (["replay", "--from", "1h", "--to", "2h"], "before it begins"),
        (["status", "--stack-name", "nope", "--region", "eu-west-1"], "no usable credentials"),
        (["quarantine", "drop", "nope"], "nope is not quarantined"),
        (["rejected-writes", "retry", "--id", "nope"], "No rejected write matches"),
    ],
)
def test_a_usage_error_is_one_sentence_with_a_hint(sluice: Operator, words: list[str], part: str) -> None:
    assert part in sluice(*words, code=2).usage_error()


def test_a_missing_stack_is_one_sentence_with_a_hint(sluice: Operator, stack: Stack) -> None:
    """The command connects to the emulator as if it were AWS."""
    there = {"AWS_ENDPOINT_URL": stack.emulator.url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    output = sluice("replay", "--stack-name", "nope", "--region", "us-east-1", code=2, environment=there)
    assert output.stdout == ""
    assert output.stderr == "sluice: There is no stack nope in us-east-1.\nhint: Check --stack-name and --region.\n"


@pytest.mark.slow
def test_an_unreadable_batch_is_listed_retried_and_dropped(sluice: Operator, recovery: RecoveryHarness) -> None:
    recovery.s3.put_object(Bucket=recovery.bucket, Key=UNREADABLE, Body=b"no batch")
    eventually(lambda: UNREADABLE in sluice("quarantine", "list").stdout)
    assert "quarantined   1 batch" in sluice("status", code=1).stdout
    output = sluice("quarantine", "retry", UNREADABLE, "--wait", code=1)
    assert "load_batch failed with Quarantined" in output.stdout
    eventually(lambda: UNREADABLE in sluice("quarantine", "list").stdout)
    assert "give --yes sluice-local" in sluice("quarantine", "drop", UNREADABLE, code=2).stderr
    assert sluice("quarantine", "drop", UNREADABLE, "--yes", "sluice-local").stdout.startswith("dropped 1 batch\n")
    assert sluice("quarantine", "list").stdout == "the quarantine is empty\n"
    assert recovery.count_missing() == 0


@pytest.fixture
def shorten_column(primary: Any) -> Iterator[Any]:
    """Shortens a column by hand; the original definition is restored afterwards."""

    def alter(length: int) -> None:
        with primary.cursor() as cursor:
            cursor.execute(f"ALTER TABLE airports MODIFY city VARCHAR({length})")

    with primary.cursor() as cursor:
        cursor.execute("SHOW CREATE TABLE airports")
        definition = next(line for line in cursor.fetchone()[1].splitlines() if line.strip().startswith("`city`"))
        cursor.execute("UPDATE airports SET city = NULL")
    yield alter
    with primary.cursor() as cursor:
        cursor.execute(f"ALTER TABLE airports MODIFY {definition.strip().rstrip(',')}")


@pytest.mark.slow
def test_rejected_writes_are_listed_without_data_retried_and_dropped(
    sluice: Operator, recovery: RecoveryHarness, shorten_column: Any
) -> None:
    shorten_column(3)
    versions = recovery.put_batches("OC", 1, per_batch=2)
    sluice("replay", "--wait")
    output = sluice("rejected-writes", "list")
    assert output.stdout.startswith("2 rejected writes\n")
    assert "airports/OC00\n    city: Data too long" in output.stdout
    assert "Reykjav" not in output.stdout
    assert "Reykjav" in sluice("rejected-writes", "list", "--show-data", "--id", "OC00").stdout
    assert "rejected      2 writes" in sluice("status", code=1).stdout
    assert "0 loaded, 1 rejected again" in sluice("rejected-writes", "retry", "--id", "OC00", "--wait", code=1).stdout
    shorten_column(40)
    output = sluice("rejected-writes", "retry", "--id", "OC00", "--wait")
    assert "1 loaded, 0 rejected again" in output.stdout
    assert recovery.read_versions("OC") == {"OC00": versions["OC00"]}
    assert [write["id"] for write in sluice("rejected-writes", "list", "--json").document["rejected_writes"]] == [
        "OC01"
    ]
    assert sluice("rejected-writes", "drop", "--all", "--yes", "sluice-local").stdout == "dropped 1 write\n"
    assert sluice("rejected-writes", "list").stdout == "0 rejected writes\n"
