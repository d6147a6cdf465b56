"""List, retry and delete rejected writes, with a real primary and the emulated S3."""

import datetime
import gzip
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from sluice.aws.s3 import S3Client
from sluice.db.connection import Database
from sluice.db.errors import redact_quoted_data
from sluice.load.batch_reader import open_batch
from sluice.load.loader import Loader
from sluice.model.record import Write
from sluice.recovery import rejected_write_store
from sluice.recovery.rejected_write_store import (
    RETRY_MARKER_PREFIX,
    RejectedWriteSelection,
    RetryResult,
    SettleResult,
    retry_rejected_writes,
    settle_retries,
)
from tests.database.rig import Rig
from tests.database.s3 import bucket
from tests.database.things import put

BUCKET = "batches"
EVERYTHING = RejectedWriteSelection()
SECRET = "Zoë's secret"


@pytest.fixture
def primary(rig: Rig, s3: Any) -> Iterator[Database]:
    database = Database(rig.database._settings, statement_timeout_seconds=30)
    yield database
    database.drop_connection()
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET):
        for entry in page.get("Contents", []):
            s3.delete_object(Bucket=BUCKET, Key=entry["Key"])


def narrow(rig: Rig) -> None:
    """Make a column too short for its values, like a manual change of the schema."""
    rig.rows("ALTER TABLE things MODIFY note VARCHAR(5)")


def widen(rig: Rig) -> None:
    rig.rows("ALTER TABLE things MODIFY note VARCHAR(20)")


def create_long_write(number: int = 0) -> Write:
    return put({"label": SECRET, "note": f"longer {number}"})


def reject_writes(rig: Rig, *writes: Write, key: str = "batches/first") -> list[str]:
    narrow(rig)
    assert rig.load(*writes, key=key).rejected == len(writes)
    return [write.version for write in writes]


def retry(primary: Database, select: RejectedWriteSelection = EVERYTHING, after: str = "") -> RetryResult:
    return retry_rejected_writes(primary, bucket(), select, after, datetime.datetime.now(datetime.UTC))


def load(rig: Rig, key: str) -> Any:
    return Loader(rig.database, rig.resources, partial(open_batch, S3Client())).load_batch(BUCKET, key)


def versions(primary: Database, select: RejectedWriteSelection = EVERYTHING) -> list[str]:
    return [row["version"] for row in rejected_write_store.list_rejected_writes(primary, select, "", 100)]


def retry_markers(s3: Any) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix=RETRY_MARKER_PREFIX).get("Contents", [])]


def test_rejected_writes_are_listed_by_version_and_selected(rig: Rig, primary: Database) -> None:
    first, second = create_long_write(), create_long_write(1)
    reject_writes(rig, first, second)
    third = reject_writes(rig, create_long_write(2), key="batches/second")
    assert versions(primary) == [first.version, second.version, *third]
    assert versions(primary, RejectedWriteSelection(versions=(second.version,))) == [second.version]
    assert versions(primary, RejectedWriteSelection(ids=(first.id,), collections=("things",))) == [first.version]
    assert versions(primary, RejectedWriteSelection(batches=("batches/second",))) == third
    assert versions(primary, RejectedWriteSelection(collections=("codes",))) == []
    assert rejected_write_store.count_rejected_writes(primary, RejectedWriteSelection(batches=("batches/first",))) == 2
    assert [
        row["version"] for row in rejected_write_store.list_rejected_writes(primary, EVERYTHING, first.version, 1)
    ] == [second.version]
    assert "write" not in rejected_write_store.list_rejected_writes(primary, EVERYTHING, "", 1)[0]


def test_a_retried_write_stays_rejected_until_it_is_loaded(rig: Rig, primary: Database, s3: Any) -> None:
    before = reject_writes(rig, create_long_write(), create_long_write(1))
    retried = retry(primary)
    assert (retried.writes, retried.invalid, retried.after) == (2, 0, None)
    assert retried.batch.startswith(f"batches/{datetime.datetime.now(datetime.UTC):%Y/%m/%d/}")
    assert settle_retries(primary, bucket()) == SettleResult(pending=[retried.batch])
    assert versions(primary) == before
    widen(rig)
    assert load(rig, retried.batch).applied == 2
    assert settle_retries(primary, bucket()) == SettleResult(settled=2)
    assert versions(primary) == []
    assert retry_markers(s3) == []
    assert settle_retries(primary, bucket()) == SettleResult()
    assert [row["version"] for row in rig.rows("SELECT version FROM things ORDER BY version")] == before


def test_a_write_that_is_rejected_again_stays(rig: Rig, primary: Database, s3: Any) -> None:
    stays = create_long_write(1_000_000_000)
    goes = put({"label": SECRET, "note": "longer"})
    reject_writes(rig, stays, goes)
    rig.rows("ALTER TABLE things MODIFY note VARCHAR(8)")
    retried = retry(primary)
    assert load(rig, retried.batch).rejected == 1
    assert settle_retries(primary, bucket()) == SettleResult(settled=1, rejected_again=1)
    assert versions(primary) == [stays.version]
    assert rejected_write_store.list_rejected_writes(primary, EVERYTHING, "", 1)[0]["object_key"] == retried.batch
    assert retry_markers(s3) == []


def test_a_stale_write_is_no_longer_rejected(rig: Rig, primary: Database) -> None:
    early = create_long_write()
    reject_writes(rig, early)
    widen(rig)
    rig.load(put({"label": "later"}, early.id))
    assert load(rig, retry(primary).batch).stale == 1
    assert settle_retries(primary, bucket()) == SettleResult(settled=1)
    assert [row["label"] for row in rig.rows("SELECT label FROM things")] == ["later"]


def test_rejected_writes_stay_when_another_load_has_changed_them(rig: Rig, primary: Database, s3: Any) -> None:
    before = reject_writes(rig, create_long_write(), create_long_write(1))
    retried = retry(primary)
    assert load(rig, retried.batch).rejected == 2
    # As a replay of the first batch with mode all does.
    rig.rows("UPDATE rejected_writes SET object_key = 'batches/first' WHERE version = %s", before[0])
    rig.connection.commit()
    assert settle_retries(primary, bucket()).settled == 0
    assert versions(primary) == before
    assert retry_markers(s3) == []


def test_many_writes_are_retried_in_several_batches(
    rig: Rig, primary: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = reject_writes(rig, *(create_long_write(number) for number in range(7)))
    monkeypatch.setattr("sluice.recovery.rejected_write_store.MAX_RETRY_WRITES", 3)
    results = [retry(primary)]
    while results[-1].after is not None:
        results.append(retry(primary, after=results[-1].after))
    assert [result.writes for result in results] == [3, 3, 1]
    widen(rig)
    for result in results:
        load(rig, result.batch)
    assert settle_retries(primary, bucket()) == SettleResult(settled=7)
    assert len(before) == len(rig.rows("SELECT 1 FROM things")) == 7


def test_a_batch_has_a_maximum_size(rig: Rig, primary: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    reject_writes(rig, create_long_write(), create_long_write(1))
    monkeypatch.setattr("sluice.recovery.rejected_write_store.MAX_RETRY_BYTES", 10)
    first = retry(primary)
    assert first.writes == 1
    assert first.after
    assert retry(primary, after=first.after).after is None


def test_only_selected_writes_are_retried_and_an_empty_selection_puts_no_batch(
    rig: Rig, primary: Database, s3: Any
) -> None:
    before = reject_writes(rig, create_long_write(), create_long_write(1))
    result = retry(primary, RejectedWriteSelection(versions=(before[1],)))
    text = gzip.decompress(s3.get_object(Bucket=BUCKET, Key=result.batch)["Body"].read())
    assert [json.loads(line)["version"] for line in text.splitlines()] == [before[1]]
    assert retry(primary, RejectedWriteSelection(collections=("codes",))) == RetryResult(
        batch="", writes=0, invalid=0, after=None
    )
    assert len(retry_markers(s3)) == 1


def test_a_text_that_is_not_a_write_is_skipped(rig: Rig, primary: Database) -> None:
    before = reject_writes(rig, create_long_write(), create_long_write(1))
    rig.rows("UPDATE rejected_writes SET `write` = REPLACE(`write`, 'longer', '\\\\xff') WHERE version = %s", before[0])
    rig.connection.commit()
    result = retry(primary)
    assert (result.writes, result.invalid) == (1, 1)
    widen(rig)
    load(rig, result.batch)
    assert settle_retries(primary, bucket()) == SettleResult(settled=1)
    assert versions(primary) == [before[0]]
    assert retry(primary) == RetryResult(batch="", writes=0, invalid=1, after=None)


def test_the_marker_of_an_expired_batch_is_deleted(rig: Rig, primary: Database, s3: Any) -> None:
    before = reject_writes(rig, create_long_write())
    bucket().delete_object(retry(primary).batch)
    assert settle_retries(primary, bucket()) == SettleResult()
    assert retry_markers(s3) == []
    assert versions(primary) == before


def test_rejected_writes_are_deleted(rig: Rig, primary: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    before = reject_writes(rig, *(create_long_write(number) for number in range(3)))
    assert rejected_write_store.delete_rejected_writes(primary, RejectedWriteSelection(versions=(before[1],))) == 1
    assert versions(primary) == [before[0], before[2]]
    monkeypatch.setattr(rejected_write_store, "DELETE_BATCH_SIZE", 1)
    assert [rejected_write_store.delete_rejected_writes(primary, EVERYTHING) for _ in range(3)] == [1, 1, 0]


@pytest.fixture
def handle(_function_environment: None, primary: Database, monkeypatch: pytest.MonkeyPatch) -> Any:
    from sluice.handlers import rejected_writes as handler  # noqa: PLC0415

    monkeypatch.setattr(handler, "_primary", primary)
    monkeypatch.setattr(handler, "_batches", bucket())
    return lambda **event: handler.handle(event, None)


def test_the_list_has_no_data_unless_they_are_requested(rig: Rig, handle: Any) -> None:
    first, second = create_long_write(), create_long_write(1)
    reject_writes(rig, first, second)
    page = handle(action="list", limit=1)
    assert set(page["rejected_writes"][0]) == {"version", "collection", "id", "reason", "object_key", "line"}
    assert page["rejected_writes"][0]["line"] == 1
    assert page["rejected_writes"][0]["reason"] == "note: Data too long"
    assert (page["total"], page["after"]) == (2, first.version)
    for hidden in (first.owner, SECRET, "longer"):
        assert hidden not in json.dumps(page, ensure_ascii=False)
    rest = handle(action="list", after=page["after"])
    assert ([write["version"] for write in rest["rejected_writes"]], rest["after"]) == ([second.version], None)
    shown = handle(action="list", data=True)["rejected_writes"]
    assert shown[0]["owner"] == first.owner
    assert json.loads(shown[0]["write"])["data"]["label"] == SECRET


def test_a_list_with_data_fits_the_response(rig: Rig, handle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = reject_writes(rig, create_long_write(), create_long_write(1), create_long_write(2))
    monkeypatch.setattr("sluice.handlers.rejected_writes.MAX_RESPONSE_BYTES", 10)
    seen, after = [], ""
    while after is not None:
        page = handle(action="list", data=True, after=after)
        assert len(page["rejected_writes"]) == 1
        seen += [write["version"] for write in page["rejected_writes"]]
        after = page["after"]
    assert seen == before


def test_the_other_actions(rig: Rig, handle: Any) -> None:
    before = reject_writes(rig, create_long_write(), create_long_write(1))
    retried = handle(action="retry", select={"versions": [before[0]]})
    assert retried["writes"] == 1
    assert handle(action="settle") == {"settled": 0, "rejected_again": 0, "pending": [retried["batch"]]}
    assert handle(action="drop", select={"versions": [before[0]]}) == {"dropped": 1, "more": False}
    assert handle(action="list")["total"] == 1


@pytest.mark.parametrize("path", sorted(Path("events/rejected_writes").glob("*.json")), ids=lambda path: path.stem)
def test_the_sample_events_are_valid(handle: Any, path: Path) -> None:
    assert handle(**json.loads(path.read_text()))


@pytest.mark.parametrize("event", [{}, {"action": "burn"}, {"action": "list", "limit": 0}, {"action": "list", "x": 1}])
def test_an_invalid_request_is_refused(handle: Any, event: dict[str, Any]) -> None:
    from sluice.errors import InvalidInput  # noqa: PLC0415

    with pytest.raises(InvalidInput, match="events/rejected_writes/"):
        handle(**event)


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("note: Data too long", "note: Data too long"),
        ("count: Incorrect integer value: 'it's ''me'", "count: Incorrect integer value: '…'"),
        ("Duplicate entry 'Ada\nLovelace' for key 'x'", "Duplicate entry '…'"),
        ('Invalid "Ada" here', "Invalid '…' here"),
        ("count: Incorrect integer value: '5' for 'Ada'", "count: Incorrect integer value: '…'"),
        ("unknown collection", "unknown collection"),
    ],
)
def test_a_reason_is_redacted(reason: str, shown: str) -> None:
    assert redact_quoted_data(reason) == shown
