"""The read cache: what comes out of it, and what it never shows."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from sluice.cache.epoch import item_key
from sluice.cache.epoch import parse_epoch as generation_of
from sluice.errors import UnreadableBatch
from sluice.ingest.item_body import new_item_id
from sluice.model.item_state import ItemAddress
from sluice.model.record import encode_write
from sluice.query.item import read_through
from sluice.query.receipt import select_receipt
from tests.database.caching_rig import Caching
from tests.database.things import OWNER, THINGS, delete, put

OTHER = "another-owner"


def test_what_the_replica_showed_is_found_again(cached: Caching) -> None:
    write = put({"label": "first", "price": "12.500", "attributes": {"a": [1, None]}})
    cached.load(write)
    cached.follow()
    path = f"things/{write.id}"
    assert cached.seen(path)[0] == ""
    hit, answer = cached.seen(path)
    cached.lookup._epoch_expires_at = 0
    plain, same = cached.seen(path)
    assert (hit, plain) == ("hit", "")
    assert answer == same
    assert cached.get(path, headers={"If-None-Match": answer.headers["ETag"]}).status == 304


@pytest.mark.parametrize("what", ["put", "delete"])
def test_a_load_takes_away_what_it_touches_before_its_commit(cached: Caching, what: str) -> None:
    write = cached.known()
    path = f"things/{write.id}"
    cached.load(put({"label": "second"}, write.id) if what == "put" else delete(write.id))
    assert cached.seen(path)[0] == "miss"
    cached.follow()
    # Deletions are kept too.
    for _ in range(2):
        hit, answer = cached.seen(path)
        assert answer.status == (200 if what == "put" else 404)
    assert hit == "hit"


def test_so_does_one_that_has_to_be_read_line_by_line(cached: Caching) -> None:
    """Because of a write that the table refuses."""
    write, bad = cached.known(), put({"label": "good"})
    path = f"things/{write.id}"
    outcome = cached.load(
        put({"label": "second"}, write.id), encode_write(bad).replace(b'"good"', b'"%s"' % (b"x" * 41))
    )
    assert (outcome.applied, outcome.rejected) == (1, 1)
    cached.follow()
    state, answer = cached.seen(path)
    assert (state, answer.body["data"]["label"]) == ("miss", "second")


def test_a_replica_that_is_behind_cannot_fill_the_cache(cached: Caching) -> None:
    """It goes on showing what it has; what it shows is not kept, for the item and for any other one."""
    write, other = put({"label": "first"}), put({"label": "other"})
    cached.load(write, other)
    cached.follow()
    with cached.standing_still():
        cached.load(put({"label": "second"}, write.id))
        for path in (f"things/{write.id}", f"things/{other.id}"):
            cached.get(path)
            state, answer = cached.seen(path)
            assert (state, answer.status) == ("miss", 200)
        assert cached.get(f"things/{write.id}").body["data"]["label"] == "first"
    cached.follow()
    cached.get(f"things/{write.id}")
    state, answer = cached.seen(f"things/{write.id}")
    assert (state, answer.body["data"]["label"]) == ("hit", "second")


def test_a_reader_that_is_overtaken_between_replica_and_cache_keeps_nothing(cached: Caching) -> None:
    write = put({"label": "first"})
    cached.load(write)
    cached.follow()
    keep = cached.lookup.store_item

    def late(*given: Any) -> None:
        cached.load(put({"label": "second"}, write.id))
        cached.follow()
        keep(*given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cached.lookup, "store_item", late)
        assert cached.get(f"things/{write.id}").body["data"]["label"] == "first"
    state, answer = cached.seen(f"things/{write.id}")
    assert (state, answer.body["data"]["label"]) == ("miss", "second")


def test_an_applied_receipt_is_never_followed_by_an_older_item(cached: Caching) -> None:
    """Of four readers, one asks for receipts' states and another reads, as fast as they can, while batches load."""
    item = put({"label": "0"})
    cached.load(item)
    cached.follow()
    path, loader = f"things/{item.id}", cached.loader()
    applied, done = [item.version], threading.Event()
    older: list[tuple[str, str]] = []
    states: Counter[str] = Counter()

    def read() -> None:
        with cached.reading() as (replica, lookup):
            question = cached.question(replica, lookup)
            while not done.is_set():
                least = applied[-1]
                state = read_through(question, item.id)
                assert state
                states[str(state.body)] += 1
                if state.version < least:
                    older.append((least, state.version))

    def ask() -> None:
        with cached.reading() as (replica, _):
            while not done.is_set():
                state = select_receipt(replica, THINGS, OWNER, item.id, applied[-1])
                if state.superseded_by:
                    applied.append(state.superseded_by)

    with ThreadPoolExecutor() as threads:
        work = [threads.submit(read), threads.submit(read), threads.submit(read), threads.submit(ask)]
        try:
            for number in range(1, 60):
                cached.load(put({"label": str(number)}, item.id), loader=loader)
        finally:
            cached.follow()
            time.sleep(0.1)
            done.set()
        for one in work:
            one.result()
    assert older == []
    assert len(states) > 10
    assert cached.get(path).body["data"]["label"] == "59"


def test_a_version_is_answered_by_the_cache_only_if_it_has_it(cached: Caching) -> None:
    first = cached.known()
    path = f"things/{first.id}"
    assert cached.seen(path, {"version": first.version})[0] == "hit"
    second = put({"label": "second"}, first.id)
    state, answer = cached.seen(path, {"version": second.version})
    assert (state, answer.status) == ("hit", 425)
    cached.load(second)
    cached.follow()
    assert cached.get(path, {"version": second.version}).body["data"]["label"] == "second"
    assert cached.seen(path, {"version": first.version})[0] == "hit"


def test_what_never_was_is_not_kept(cached: Caching) -> None:
    cached.load(put({"label": "some"}))
    cached.follow()
    for _ in range(2):
        state, answer = cached.seen(f"things/{new_item_id()}")
        assert (state, answer.status) == ("", 404)


def test_nobody_gets_what_is_anothers(cached: Caching) -> None:
    mine, item_id = put({"label": "mine"}), new_item_id()
    cached.load(mine, put({"label": "of one"}, item_id), put({"label": "of another"}, item_id, owner=OTHER))
    cached.follow()
    for turn in range(2):
        assert cached.get(f"things/{mine.id}").status == 200
        assert cached.get(f"things/{mine.id}", owner=OTHER).status == 404
        for owner, whose in ((OWNER, "of one"), (OTHER, "of another")):
            state, answer = cached.seen(f"things/{item_id}", owner=owner)
            assert answer.body["data"]["label"] == whose
            assert (state == "hit") == bool(turn)  # neither is in the other's place


def test_an_entry_of_another_owner_is_not_taken_for_ones_own(cached: Caching) -> None:
    """Should it ever come to stand under one's key."""
    mine, theirs = put({"label": "mine"}), put({"label": "theirs"}, owner=OTHER)
    cached.load(mine, theirs)
    cached.follow()
    for write in (mine, theirs):
        cached.get(f"things/{write.id}", owner=write.owner)
    name = generation_of(cached.row()).name
    my_key, their_key = (item_key(name, ItemAddress(THINGS, one.owner, one.id)) for one in (mine, theirs))
    [[entry]] = cached.client.send_commands(("MGET", their_key))
    cached.client.send_commands(("SET", my_key, entry))
    state, answer = cached.seen(f"things/{mine.id}")
    assert (state, answer.body["data"]["label"]) == ("miss", "mine")


def test_a_class_that_changed_finds_no_entry_of_the_one_before(cached: Caching) -> None:
    """Also when nobody raised its revision; a load with the later class takes away what the earlier one kept."""
    write = cached.known()
    path = f"things/{write.id}"
    before = dict(cached.rig.resources)
    for changed in (replace(THINGS, revision=2), replace(THINGS, columns=THINGS.columns[:-1])):
        cached.rig.resources = {**before, "things": changed}
        assert cached.seen(path)[0] == "miss"
        assert cached.seen(path)[0] == "hit"
        cached.load(put({"label": "later"}, write.id), loader=cached.loader())
        cached.rig.resources = before
        assert cached.seen(path)[0] == "miss"
        cached.follow()
        assert cached.get(path).body["data"]["label"] == "later"


@pytest.mark.parametrize(
    "change",
    [{"id": spelled} for spelled in (str.upper, lambda one: one.replace("-", ""))] + [{"owner": lambda one: f"{one} "}],
    ids=("capitals", "hyphens", "blank"),
)
def test_what_the_table_takes_for_an_item_does_not_change_it(cached: Caching, change: dict[str, Any]) -> None:
    """In an object that somebody else made: the cache knows one spelling, so the loader takes no other."""
    item = cached.known()
    line = encode_write(put({"label": "second"}, item.id))
    again = {name: spelled(msgspec.json.decode(line)[name]) for name, spelled in change.items()}
    with nullcontext() if "id" in change else pytest.raises(UnreadableBatch):
        assert cached.load(msgspec.json.encode(msgspec.json.decode(line) | again) + b"\n").rejected == 1
    cached.follow()
    assert cached.rig.rows("SELECT label FROM things") == [{"label": "first"}]
    assert cached.seen(f"things/{item.id}")[1].body["data"]["label"] == "first"
