"""The sources of a rebuild in S3, and the exclusions that it stores there."""

import datetime
import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest

from sluice.aws.s3 import Bucket
from sluice.errors import NoRebuildSource
from sluice.model.exclusions import Exclusion, ExclusionRule
from sluice.rebuild.rebuild_request import check_source, read_stored_exclusions, store_exclusions
from tests.database.s3 import bucket


def create_buckets() -> dict[str, Bucket]:
    return {name: bucket(name) for name in ("batches", "archive")}


NOW = datetime.datetime(2026, 11, 25, 10, 30, tzinfo=datetime.UTC)


@pytest.fixture
def put(s3: Any) -> Iterator[Any]:
    """Put an object into the folder of an hour."""
    keys: list[tuple[str, str]] = []

    def put(name: str, hour: str) -> None:
        key = f"{name}/{hour}/x.gz"
        s3.put_object(Bucket=name, Key=key, Body=gzip.compress(b"x"))
        keys.append((name, key))

    yield put
    for name, key in keys:
        s3.delete_object(Bucket=name, Key=key)


def test_two_empty_buckets_are_no_source(put: Any) -> None:
    for source in create_buckets():
        with pytest.raises(NoRebuildSource, match=rf"no object under {source}/ in the bucket {source}\. The other"):
            check_source(source, create_buckets())


@pytest.mark.parametrize(("source", "other"), [("batches", "archive"), ("archive", "batches")])
def test_for_an_empty_bucket_the_other_is_suggested(put: Any, source: str, other: str) -> None:
    put(other, "2026/11/24/10")
    with pytest.raises(NoRebuildSource, match=f"Rebuild from the {other}."):
        check_source(source, create_buckets())
    check_source(other, create_buckets())


@pytest.mark.parametrize(
    ("hour", "is_complete"), [("2026/11/24/09", True), ("2026/11/24/08", False), ("2025/11/24/10", False)]
)
def test_batches_that_begin_later_than_the_archive_are_no_source(put: Any, hour: str, is_complete: bool) -> None:
    put("batches", "2026/11/24/10")
    put("archive", hour)
    if is_complete:
        check_source("batches", create_buckets())
    else:
        with pytest.raises(NoRebuildSource, match=r"begin at 2026-11-24T10Z, the archive begins at 202\d-11-24"):
            check_source("batches", create_buckets())
    check_source("archive", create_buckets())


def test_a_key_without_an_hour_is_ignored(put: Any, s3: Any) -> None:
    put("batches", "2026/11/24/10")
    put("archive", "0")
    check_source("batches", create_buckets())


def test_the_exclusions_are_stored_until_the_next_rebuild(s3: Any) -> None:
    rules = (ExclusionRule(owners=("o",), to=NOW), ExclusionRule(from_=NOW - datetime.timedelta(days=1), to=NOW))
    exclusions = [Exclusion(execution="r", rules=rules, reason="because", made_at=NOW)]
    assert read_stored_exclusions(bucket()) == []
    store_exclusions(bucket(), exclusions)
    assert read_stored_exclusions(bucket()) == exclusions
    assert json.loads(bucket().read_object("rebuilds/exclusions.json").content)[0]["reason"] == "because"
    store_exclusions(bucket(), [])
    assert read_stored_exclusions(bucket()) == []
