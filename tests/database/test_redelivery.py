"""Redelivered writes change nothing, and a rejected write stays one row."""

import pytest

from sluice.errors import UnreadableBatch
from sluice.model.record import Write
from tests.database.awkward import thing
from tests.database.rig import Rig
from tests.database.things import CODES, delete, put

TOO_LONG = b'"label":"%b"' % (b"x" * 41)


def writes() -> list[Write]:
    first = put({"label": "first"})
    return [
        first,
        put({"label": "second"}, first.id),
        put({"code": "A", "text": "x"}, "A", resource=CODES),
        delete("B", resource=CODES),
        thing(TOO_LONG),
    ]


def everything(rig: Rig) -> list[object]:
    return [rig.rows(f"SELECT * FROM {table} ORDER BY owner, id") for table in ("things", "codes")]


def rejects(rig: Rig) -> list[tuple[str, int]]:
    return [(row["object_key"], row["line"]) for row in rig.rows("SELECT object_key, line FROM rejected_writes")]


def test_an_object_that_a_replay_loaded_before(rig: Rig) -> None:
    """As when a replay runs before the event arrives."""
    key = rig.objects.put("batches/a", writes())
    assert rig.loader().load_batch("bucket", key).rejected == 1
    before, ledger = everything(rig), rig.rows("SELECT * FROM loaded_batches")
    outcome = rig.loader().load_batch("bucket", key)
    assert (outcome.status, outcome.applied, outcome.stale, outcome.rejected) == ("already_loaded", 0, 0, 0)
    assert (everything(rig), rig.rows("SELECT * FROM loaded_batches")) == (before, ledger)
    assert rejects(rig) == [(key, 5)]


@pytest.mark.parametrize("good", [True, False], ids=["plain", "with a bad write"])
def test_the_same_writes_in_other_batches(rig: Rig, good: bool) -> None:
    redelivered = writes()[: 4 if good else 5]
    rig.load(*redelivered, key="batches/a")
    before = everything(rig)
    for batch in (redelivered, redelivered[::-1], redelivered[1:], [*redelivered, *redelivered]):
        outcome = rig.load(*batch, key="batches/b")
        assert outcome.status == "loaded"
        assert (outcome.applied, outcome.applied + outcome.stale + outcome.rejected) == (0, len(batch))
        assert everything(rig) == before
        assert len(rejects(rig)) == (not good)


def test_the_same_key_with_another_etag_and_the_same_writes(rig: Rig) -> None:
    redelivered = writes()
    assert rig.load(*redelivered, key="batches/a").applied == 3
    before = everything(rig)
    assert rig.load(*redelivered, put({"label": "z"}), key="batches/a").applied == 1
    assert len(rig.rows("SELECT 1 FROM loaded_batches WHERE object_key = 'batches/a'")) == 2
    rig.rows("DELETE FROM things WHERE label = 'z'")
    assert rejects(rig) == [("batches/a", 5)]
    assert everything(rig)[1] == before[1]


def test_a_rejected_write_is_one_row_with_its_last_place(rig: Rig) -> None:
    bad = thing(TOO_LONG)
    assert rig.load(bad, key="batches/a").rejected == 1
    assert rig.load(put({"label": "x"}), bad, key="batches/b").rejected == 1
    assert rejects(rig) == [("batches/b", 2)]
    twice = rig.load(bad, put({"label": "x"}), bad, key="batches/c")
    assert twice.applied + twice.stale + twice.rejected == 3
    assert [key for key, _ in rejects(rig)] == ["batches/c"]


def test_an_unreadable_batch_stays_unreadable(rig: Rig) -> None:
    rig.load(put({"label": "x"}), key="batches/a")
    key = rig.objects.put("batches/b", [put({"label": "y"}), b"no write\n"])
    for _ in range(2):
        with pytest.raises(UnreadableBatch):
            rig.loader().load_batch("bucket", key)
    assert [row["object_key"] for row in rig.rows("SELECT object_key FROM loaded_batches")] == ["batches/a"]
