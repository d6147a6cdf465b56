"""The read cache: what it serves, and what it never serves."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from sluice.cache.epoch import item_key, parse_epoch
from sluice.errors import UnreadableBatch
from sluice.ingest.item_body import new_item_id
from sluice.model.item_state import ItemAddress
from sluice.model.record import encode_write
from sluice.query.item import read_through
from sluice.query.receipt import select_receipt
from tests.database.cache_rig import CacheRig
from tests.database.things import OWNER, THINGS, delete, put

OTHER = "another-owner"


def test_what_the_replica_showed_is_served_from_the_cache(cache_rig: CacheRig) -> None:
    write = put({"label": "first", "price": "12.500", "attributes": {"a": [1, None]}})
    cache_rig.load_batch(write)
    cache_rig.wait_for_replicas()
    path = f"things/{write.id}"
    assert cache_rig.get_with_cache_state(path)[0] == ""
    hit, answer = cache_rig.get_with_cache_state(path)
    cache_rig.cache_reader._epoch_expires_at = 0
    plain, same = cache_rig.get_with_cache_state(path)
    assert (hit, plain) == ("hit", "")
    assert answer == same
    assert cache_rig.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status == 304


@pytest.mark.parametrize("operation", ["put", "delete"])
def test_a_load_invalidates_what_it_touches_before_its_commit(cache_rig: CacheRig, operation: str) -> None:
    write = cache_rig.load_and_cache_item()
    path = f"things/{write.id}"
    cache_rig.load_batch(put({"label": "second"}, write.id) if operation == "put" else delete(write.id))
    assert cache_rig.get_with_cache_state(path)[0] == "miss"
    cache_rig.wait_for_replicas()
    # The cache stores deletions too.
    for _ in range(2):
        hit, answer = cache_rig.get_with_cache_state(path)
        assert answer.status == (200 if operation == "put" else 404)
    assert hit == "hit"


def test_so_does_a_load_of_single_lines(cache_rig: CacheRig) -> None:
    """The load falls back to single lines because the table rejects a write."""
    write, bad = cache_rig.load_and_cache_item(), put({"label": "good"})
    path = f"things/{write.id}"
    result = cache_rig.load_batch(
        put({"label": "second"}, write.id), encode_write(bad).replace(b'"good"', b'"%s"' % (b"x" * 41))
    )
    assert (result.applied, result.rejected) == (1, 1)
    cache_rig.wait_for_replicas()
    state, answer = cache_rig.get_with_cache_state(path)
    assert (state, answer.body["data"]["label"]) == ("miss", "second")


def test_a_replica_that_lags_cannot_fill_the_cache(cache_rig: CacheRig) -> None:
    """Reads still show what it has, but the cache stores nothing of it, not even another item."""
    write, other = put({"label": "first"}), put({"label": "other"})
    cache_rig.load_batch(write, other)
    cache_rig.wait_for_replicas()
    with cache_rig.stop_replication():
        cache_rig.load_batch(put({"label": "second"}, write.id))
        for path in (f"things/{write.id}", f"things/{other.id}"):
            cache_rig.get(path)
            state, answer = cache_rig.get_with_cache_state(path)
            assert (state, answer.status) == ("miss", 200)
        assert cache_rig.get(f"things/{write.id}").body["data"]["label"] == "first"
    cache_rig.wait_for_replicas()
    cache_rig.get(f"things/{write.id}")
    state, answer = cache_rig.get_with_cache_state(f"things/{write.id}")
    assert (state, answer.body["data"]["label"]) == ("hit", "second")


def test_a_reader_that_a_load_overtakes_between_replica_and_cache_stores_nothing(cache_rig: CacheRig) -> None:
    write = put({"label": "first"})
    cache_rig.load_batch(write)
    cache_rig.wait_for_replicas()
    store_item = cache_rig.cache_reader.store_item

    def store_late(*arguments: Any) -> None:
        cache_rig.load_batch(put({"label": "second"}, write.id))
        cache_rig.wait_for_replicas()
        store_item(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_rig.cache_reader, "store_item", store_late)
        assert cache_rig.get(f"things/{write.id}").body["data"]["label"] == "first"
    state, answer = cache_rig.get_with_cache_state(f"things/{write.id}")
    assert (state, answer.body["data"]["label"]) == ("miss", "second")


def test_an_applied_receipt_is_never_followed_by_an_older_item(cache_rig: CacheRig) -> None:
    """Three threads read the item and one reads receipts, as fast as they can, while batches load."""
    item = put({"label": "0"})
    cache_rig.load_batch(item)
    cache_rig.wait_for_replicas()
    path, loader = f"things/{item.id}", cache_rig.create_loader()
    applied, done = [item.version], threading.Event()
    older: list[tuple[str, str]] = []
    states: Counter[str] = Counter()

    def read() -> None:
        with cache_rig.open_reader() as (replica, cache_reader):
            context = cache_rig.create_read_context(replica, cache_reader)
            while not done.is_set():
                min_version = applied[-1]
                state = read_through(context, item.id)
                assert state
                states[str(state.body)] += 1
                if state.version < min_version:
                    older.append((min_version, state.version))

    def read_receipts() -> None:
        with cache_rig.open_reader() as (replica, _):
            while not done.is_set():
                state = select_receipt(replica, THINGS, OWNER, item.id, applied[-1])
                if state.superseded_by:
                    applied.append(state.superseded_by)

    with ThreadPoolExecutor() as threads:
        futures = [threads.submit(read), threads.submit(read), threads.submit(read), threads.submit(read_receipts)]
        try:
            for number in range(1, 60):
                cache_rig.load_batch(put({"label": str(number)}, item.id), loader=loader)
        finally:
            cache_rig.wait_for_replicas()
            time.sleep(0.1)
            done.set()
        for future in futures:
            future.result()
    assert older == []
    assert len(states) > 10
    assert cache_rig.get(path).body["data"]["label"] == "59"


def test_the_cache_serves_a_version_only_if_it_has_it(cache_rig: CacheRig) -> None:
    first = cache_rig.load_and_cache_item()
    path = f"things/{first.id}"
    assert cache_rig.get_with_cache_state(path, {"version": first.version})[0] == "hit"
    second = put({"label": "second"}, first.id)
    state, answer = cache_rig.get_with_cache_state(path, {"version": second.version})
    assert (state, answer.status) == ("hit", 425)
    cache_rig.load_batch(second)
    cache_rig.wait_for_replicas()
    assert cache_rig.get(path, {"version": second.version}).body["data"]["label"] == "second"
    assert cache_rig.get_with_cache_state(path, {"version": first.version})[0] == "hit"


def test_the_cache_does_not_store_that_an_item_does_not_exist(cache_rig: CacheRig) -> None:
    cache_rig.load_batch(put({"label": "some"}))
    cache_rig.wait_for_replicas()
    for _ in range(2):
        state, answer = cache_rig.get_with_cache_state(f"things/{new_item_id()}")
        assert (state, answer.status) == ("", 404)


def test_nobody_gets_the_item_of_another_owner(cache_rig: CacheRig) -> None:
    mine, item_id = put({"label": "mine"}), new_item_id()
    cache_rig.load_batch(mine, put({"label": "of one"}, item_id), put({"label": "of another"}, item_id, owner=OTHER))
    cache_rig.wait_for_replicas()
    for turn in range(2):
        assert cache_rig.get(f"things/{mine.id}").status == 200
        assert cache_rig.get(f"things/{mine.id}", owner=OTHER).status == 404
        for owner, expected in ((OWNER, "of one"), (OTHER, "of another")):
            state, answer = cache_rig.get_with_cache_state(f"things/{item_id}", owner=owner)
            assert answer.body["data"]["label"] == expected
            assert (state == "hit") == bool(turn)  # each owner has an own entry


def test_an_entry_of_another_owner_is_never_served(cache_rig: CacheRig) -> None:
    """Even if it is stored under the caller's key."""
    mine, theirs = put({"label": "mine"}), put({"label": "theirs"}, owner=OTHER)
    cache_rig.load_batch(mine, theirs)
    cache_rig.wait_for_replicas()
    for write in (mine, theirs):
        cache_rig.get(f"things/{write.id}", owner=write.owner)
    name = parse_epoch(cache_rig.select_epoch_row()).name
    my_key, their_key = (item_key(name, ItemAddress(THINGS, write.owner, write.id)) for write in (mine, theirs))
    [[entry]] = cache_rig.client.send_commands(("MGET", their_key))
    cache_rig.client.send_commands(("SET", my_key, entry))
    state, answer = cache_rig.get_with_cache_state(f"things/{mine.id}")
    assert (state, answer.body["data"]["label"]) == ("miss", "mine")


def test_a_changed_class_ignores_the_entries_of_the_earlier_one(cache_rig: CacheRig) -> None:
    """Also without a new revision. A load with the later class invalidates the entries of the earlier one."""
    write = cache_rig.load_and_cache_item()
    path = f"things/{write.id}"
    before = dict(cache_rig.rig.resources)
    for changed in (replace(THINGS, revision=2), replace(THINGS, columns=THINGS.columns[:-1])):
        cache_rig.rig.resources = {**before, "things": changed}
        assert cache_rig.get_with_cache_state(path)[0] == "miss"
        assert cache_rig.get_with_cache_state(path)[0] == "hit"
        cache_rig.load_batch(put({"label": "later"}, write.id), loader=cache_rig.create_loader())
        cache_rig.rig.resources = before
        assert cache_rig.get_with_cache_state(path)[0] == "miss"
        cache_rig.wait_for_replicas()
        assert cache_rig.get(path).body["data"]["label"] == "later"


@pytest.mark.parametrize(
    "change",
    [{"id": respell} for respell in (str.upper, lambda text: text.replace("-", ""))]
    + [{"owner": lambda text: f"{text} "}],
    ids=("capitals", "hyphens", "blank"),
)
def test_another_spelling_of_an_id_or_owner_changes_no_item(cache_rig: CacheRig, change: dict[str, Any]) -> None:
    """In an object of another producer: the cache knows one spelling, so the loader accepts no other."""
    item = cache_rig.load_and_cache_item()
    line = encode_write(put({"label": "second"}, item.id))
    respelled = {name: spelled(msgspec.json.decode(line)[name]) for name, spelled in change.items()}
    with nullcontext() if "id" in change else pytest.raises(UnreadableBatch):
        assert cache_rig.load_batch(msgspec.json.encode(msgspec.json.decode(line) | respelled) + b"\n").rejected == 1
    cache_rig.wait_for_replicas()
    assert cache_rig.rig.rows("SELECT label FROM things") == [{"label": "first"}]
    assert cache_rig.get_with_cache_state(f"things/{item.id}")[1].body["data"]["label"] == "first"
