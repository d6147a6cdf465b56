"""Repeated and partial loads of a batch, and loads from the archive."""

from typing import Any

import pytest

from sluice.load.batch_reader import create_replay_opener
from sluice.load.load_types import LedgerMode, LoadResult
from sluice.load.loader import Loader
from sluice.model.record import Write
from tests.database.rig import Rig
from tests.database.things import CODES, put

ID = "01900000-0000-7000-8000-000000000001"
KEY = "batches/a"


def thing(label: str) -> Write:
    return put({"label": label}, ID)


def code(text: str) -> Write:
    return put({"code": "x", "text": text}, "x", resource=CODES)


class Replay:
    """Loads the same object in different ways."""

    def __init__(self, rig: Rig) -> None:
        self.rig = rig

    def load(
        self, entry: LedgerMode, *, archived: bool = False, collections: frozenset[str] = frozenset()
    ) -> LoadResult:
        opened = create_replay_opener(self.rig.objects.open, archived=archived, collections=collections)
        return Loader(self.rig.database, self.rig.resources, opened, entry).load_batch("bucket", KEY)

    @property
    def ledger(self) -> list[dict[str, Any]]:
        return self.rig.rows("SELECT object_key, applied, stale, rejected FROM loaded_batches")

    @property
    def labels(self) -> list[str]:
        return [row["label"] for row in self.rig.rows("SELECT label FROM things")]

    @property
    def texts(self) -> list[str]:
        return [row["text"] for row in self.rig.rows("SELECT text FROM codes")]


@pytest.fixture
def replay(rig: Rig) -> Replay:
    return Replay(rig)


def test_a_reload_repairs_a_table_although_the_ledger_has_the_batch(replay: Replay, rig: Rig) -> None:
    assert rig.load(thing("one"), key=KEY).status == "loaded"
    rig.rows("SELECT 1")
    with rig.connection.cursor() as cursor:
        cursor.execute("DELETE FROM things")
    rig.connection.commit()
    assert rig.loader().load_batch("bucket", KEY).status == "already_loaded"
    assert replay.labels == []
    outcome = replay.load("reload")
    assert (outcome.status, outcome.applied) == ("loaded", 1)
    assert replay.labels == ["one"]
    assert replay.ledger == [{"object_key": KEY, "applied": 1, "stale": 0, "rejected": 0}]
    outcome = replay.load("reload")
    assert (outcome.applied, outcome.stale) == (0, 1)


def test_a_reload_enters_a_batch_that_was_not_loaded(replay: Replay, rig: Rig) -> None:
    rig.objects.put(KEY, [thing("one")])
    replay.load("reload")
    assert [row["object_key"] for row in replay.ledger] == [KEY]
    assert rig.loader().load_batch("bucket", KEY).status == "already_loaded"


def test_a_load_of_some_collections_does_not_enter_the_batch(replay: Replay, rig: Rig) -> None:
    rig.objects.put(KEY, [thing("one"), code("two")])
    outcome = replay.load("bypass", collections=frozenset({"codes"}))
    assert (outcome.status, outcome.applied) == ("loaded", 1)
    assert (replay.labels, replay.texts, replay.ledger) == ([], ["two"], [])
    assert rig.loader().load_batch("bucket", KEY).status == "loaded"
    assert (replay.labels, replay.texts) == (["one"], ["two"])
    before = replay.ledger
    replay.load("bypass", collections=frozenset({"codes"}))
    assert replay.ledger == before


def test_a_load_of_the_archive_is_not_entered_in_the_ledger(replay: Replay, rig: Rig) -> None:
    older, newer = thing("older"), thing("newer")
    rig.objects.put(KEY, [newer, b"hello\n", older])
    outcome = replay.load("bypass", archived=True)
    assert (outcome.status, outcome.applied, outcome.stale, outcome.rejected) == ("loaded", 1, 1, 0)
    assert replay.labels == ["newer"]
    assert replay.ledger == []


def test_an_older_archive_changes_no_newer_row(replay: Replay, rig: Rig) -> None:
    older = thing("older")
    rig.load(thing("newer"))
    rig.objects.put(KEY, [older])
    assert replay.load("bypass", archived=True).stale == 1
    assert replay.labels == ["newer"]


def test_a_rejected_write_is_stored_once(replay: Replay, rig: Rig) -> None:
    bad = thing("x")
    bad.data = type(bad.data)(b'{"label":"' + b"x" * 41 + b'"}')
    rig.objects.put(KEY, [code("two"), bad])
    for _ in range(2):
        assert replay.load("bypass", collections=frozenset({"things"})).rejected == 1
    assert rig.loader().load_batch("bucket", KEY).rejected == 1
    [rejected] = rig.rows("SELECT version, line FROM rejected_writes")
    assert (rejected["version"], rejected["line"]) == (bad.version, 2)
