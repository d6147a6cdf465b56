"""Versions only ever grow; ids are new, or the same at each retry."""

import itertools
import sys
import threading
import time
import uuid
from typing import Any

import pytest
from ulid import ULID

from sluice.ingest.item_body import derive_item_id, new_item_id, new_item_ids
from sluice.model import versions

EARLIER = "01JD0000000000000000000000"


def test_versions_grow() -> None:
    generated = [versions.new_version() for _ in range(5000)]
    assert all(before < after for before, after in itertools.pairwise(generated))
    assert all(versions.is_version(version) for version in generated)


def test_versions_grow_while_the_clock_goes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    before = versions.new_version()
    now = time.time_ns()
    moments = iter([now - 3600 * 10**9, now - 7200 * 10**9, now - 1, *[now] * 20])
    monkeypatch.setattr("time.time_ns", lambda: next(moments))
    monkeypatch.setattr("time.time", lambda: next(moments) / 10**9)
    generated = [before, *(versions.new_version() for _ in range(10))]
    assert generated == sorted(set(generated))


@pytest.mark.parametrize("count", [1, 2, 1023, 1024, 1025, 3000])
def test_versions_of_one_moment_follow_one_another(count: int) -> None:
    before = versions.new_version()
    generated = versions.new_versions(count)
    first = int(ULID.from_str(generated[0]))
    assert before < generated[0]
    assert [int(ULID.from_str(version)) for version in generated] == list(range(first, first + count))
    assert generated[-1] < versions.new_version()


def test_a_version_is_the_text_of_its_ulid() -> None:
    for _ in range(500):
        version = versions.new_version()
        assert str(ULID.from_str(version)) == version
        assert abs(ULID.from_str(version).timestamp - time.time()) < 5


def test_a_clock_that_went_back_was_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """The test above holds something: a ULID alone would go back."""
    monkeypatch.setattr("time.time_ns", lambda: 10**18)
    monkeypatch.setattr("time.time", lambda: 10.0**9)
    assert str(ULID()) < versions.new_version()


def test_versions_are_different_in_threads_and_grow_in_each() -> None:
    generated: list[list[str]] = [[] for _ in range(8)]
    start = threading.Barrier(len(generated))

    def take(mine: list[str]) -> None:
        start.wait()
        mine.extend(versions.new_version() for _ in range(1000))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)  # what the lock prevents is otherwise seldom seen
    threads = [threading.Thread(target=take, args=(mine,)) for mine in generated]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(interval)
    assert len({version for mine in generated for version in mine}) == 8000
    assert all(mine == sorted(mine) for mine in generated)


def test_a_version_says_when() -> None:
    assert abs(versions.version_time(versions.new_version()).timestamp() - time.time()) < 5


@pytest.mark.parametrize(
    "text",
    ["", EARLIER[:-1], EARLIER + "0", EARLIER.lower(), "8" + EARLIER[1:], "I" * 26, EARLIER[:-1] + "\n", "é" * 26],
)
def test_other_text_is_no_version(text: str) -> None:
    assert versions.is_version(EARLIER)
    assert not versions.is_version(text)


def test_new_ids_are_of_version_7_and_of_now() -> None:
    ids = [uuid.UUID(new_item_id()) for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert {(item_id.version, item_id.variant) for item_id in ids} == {(7, uuid.RFC_4122)}
    assert all(abs((item_id.int >> 80) / 1000 - time.time()) < 5 for item_id in ids)


def test_new_ids_of_one_moment_are_in_order() -> None:
    ids = new_item_ids(3000)
    assert ids == sorted(set(ids))
    assert all(str(uuid.UUID(item_id)) == item_id for item_id in ids)
    assert {(uuid.UUID(item_id).version, uuid.UUID(item_id).variant) for item_id in ids} == {(7, uuid.RFC_4122)}
    bits = [uuid.UUID(item_id).int for item_id in ids]
    free = ((1 << 76) - 1) ^ (3 << 62)
    free &= ~(0xF << 76)
    always, ever = bits[0], 0
    for number in bits:
        always &= number
        ever |= number
    assert (always & free, ever & free) == (0, free), "a random bit is always the same"


def test_a_derived_id_is_the_same_in_every_process_and_release() -> None:
    """A change here would make a client's retry, around a deploy, a second item."""
    assert derive_item_id("owner", "things", "key") == "10d436cb-2ff9-532d-99f9-8cdb7acd3593"
    assert derive_item_id("owner", "things", "key", 7) == "f538c4e8-d4bb-5db2-8225-725a54c6fa32"


def test_a_derived_id_is_of_owner_collection_and_key() -> None:
    keys: list[tuple[Any, ...]] = [
        ("owner", "things", "key"),
        ("another", "things", "key"),
        ("owner", "others", "key"),
        ("owner", "things", "key2"),
        ("owner", "things", "other\nkey"),
        ("owner", "thing", "skey"),
        ("owner", "things", " key"),
        ("owner", "things", "key", 1),
        ("owner", "things", "key", 11),
        ("owner", "things", "key1", 1),
    ]
    ids = [derive_item_id(*key) for key in keys]
    assert len(set(ids)) == len(keys)
    assert all(str(uuid.UUID(item_id)) == item_id for item_id in ids)
