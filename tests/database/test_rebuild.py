"""Tables are rebuilt in the shadow and swapped in, and excluded writes stay excluded."""

import datetime
import random
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pymysql
import pytest

from local.database import DatabaseServers
from sluice.errors import RebuildRefused
from sluice.model.record import Write
from tests.database.conftest import Connect
from tests.database.rebuild_rig import Rebuilding, excluding
from tests.database.rig import Rig
from tests.database.things import CODES, OWNER, delete, put

OTHER = "other-owner"
TOO_LONG = "x" * 41


@pytest.fixture
def rebuilding(rig: Rig, connect: Connect) -> Iterator[Rebuilding]:
    created = Rebuilding(rig, connect(autocommit=True))
    yield created
    created.clean()


def code(name: str, text: str) -> Write:
    return put({"code": name, "text": text}, name, "", CODES)


def put_batches(rig: Rig, count: int = 6) -> list[str]:
    """Batches of writes to the same few items: puts, deletes, and one that is rejected."""
    keys = []
    for number in range(count):
        writes = [code(f"c{number % 3}", f"text {number}"), put({"label": f"l{number}"})]
        writes += [delete(f"c{(number + 1) % 3}", "", CODES)] if number % 2 else []
        if number == 1:
            bad = put({"label": "good"})
            bad.data = type(bad.data)(bytes(bad.data).replace(b'"good"', f'"{TOO_LONG}"'.encode()))
            writes.append(bad)
        keys.append(rig.objects.put(f"batches/{number:02}", writes))
    return keys


def wait_and_read_time() -> datetime.datetime:
    """The time, with a pause of a millisecond before and after it."""
    time.sleep(0.002)
    now = datetime.datetime.now(datetime.UTC)
    time.sleep(0.002)
    return now


def test_lost_tables_are_rebuilt_from_the_batches_in_any_order(rebuilding: Rebuilding) -> None:
    keys = put_batches(rebuilding.rig)
    rebuilding.load(*keys)
    before = rebuilding.tables()
    assert len(before["rejected_writes"]) == 1
    with rebuilding.admin.cursor() as cursor:
        for table in ("things", "codes", "loaded_batches", "rejected_writes", "marks"):
            cursor.execute(f"DELETE FROM {table}")
    rebuilding.prepare()
    random.shuffle(keys)
    assert {result.status for result in rebuilding.fill(keys)} == {"loaded"}
    retained = rebuilding.swap()
    assert rebuilding.tables() == before
    assert [row["n"] for row in rebuilding.rows("SELECT COUNT(*) AS n FROM loaded_batches")] == [6]
    assert rebuilding.schemas() == [retained]
    assert rebuilding.rows(f"SELECT * FROM {retained}.codes") == []
    assert {result.status for result in rebuilding.load(*keys)} == {"already_loaded"}


def test_the_old_tables_are_retained_unchanged(rebuilding: Rebuilding) -> None:
    keys = put_batches(rebuilding.rig)
    rebuilding.load(*keys)
    before = rebuilding.rows("SELECT * FROM things ORDER BY id")
    rebuilding.prepare()
    retained = rebuilding.swap()
    assert rebuilding.rows("SELECT * FROM things") == []
    assert rebuilding.rows(f"SELECT * FROM {retained}.things ORDER BY id") == before


def test_an_unfinished_shadow_is_replaced(rebuilding: Rebuilding) -> None:
    keys = put_batches(rebuilding.rig)
    rebuilding.load(*keys)
    before = rebuilding.tables()
    rebuilding.prepare(excluding(exclude={"collections": ["things"]}))
    rebuilding.fill(keys[:3])
    rebuilding.prepare()
    rebuilding.fill(keys)
    rebuilding.swap()
    assert rebuilding.tables() == before


def test_a_swap_is_done_only_once(rebuilding: Rebuilding) -> None:
    keys = put_batches(rebuilding.rig)
    rebuilding.prepare()
    rebuilding.fill(keys)
    retained = rebuilding.swap()
    assert rebuilding.swap() == retained
    assert rebuilding.schemas() == [retained]
    assert len(rebuilding.rows("SELECT * FROM loaded_batches")) == len(keys)


def test_the_new_tables_have_the_indexes_of_the_old_ones(rebuilding: Rebuilding) -> None:
    with rebuilding.admin.cursor() as cursor:
        cursor.execute("ALTER TABLE things ADD INDEX by_hand (label)")
        cursor.execute("SHOW CREATE TABLE things")
        before = cursor.fetchall()
        rebuilding.prepare()
        rebuilding.swap()
        cursor.execute("SHOW CREATE TABLE things")
        assert cursor.fetchall() == before


def test_as_of_a_moment_the_tables_are_as_they_were_then(rebuilding: Rebuilding) -> None:
    keys = put_batches(rebuilding.rig)
    rebuilding.load(*keys)
    then, before = wait_and_read_time(), rebuilding.tables()
    undone = [delete("c0", "", CODES), code("c1", "undone"), put({"label": "undone"})]
    later = [rebuilding.rig.objects.put("batches/later", undone)]
    mixed = [rebuilding.rig.objects.put("batches/mixed", [code("c2", "undone too")])]
    rebuilding.load(*later, *mixed)
    assert rebuilding.tables() != before
    rebuilding.prepare(excluding(as_of=then.isoformat()))
    rebuilding.fill([*keys, *later, *mixed])
    rebuilding.swap()
    assert rebuilding.tables() == before
    assert len(rebuilding.rows("SELECT * FROM loaded_batches")) == 8


def test_without_an_owner_the_other_owners_are_unchanged(rebuilding: Rebuilding) -> None:
    mine, theirs = put({"label": "mine"}), put({"label": "theirs"}, owner=OTHER)
    both = rebuilding.rig.objects.put("batches/a", [mine, theirs, code("c", "shared")])
    rebuilding.load(both)
    rebuilding.prepare(excluding(exclude={"owners": [OTHER]}))
    rebuilding.fill([both])
    rebuilding.swap()
    assert [row["owner"] for row in rebuilding.tables()["things"]] == [OWNER]
    assert [row["text"] for row in rebuilding.tables()["codes"]] == ["shared"]


def test_excluding_a_write_restores_the_previous_one(rebuilding: Rebuilding) -> None:
    good, bad, other = code("c", "good"), code("c", "bad"), code("d", "other")
    keys = [rebuilding.rig.objects.put(f"batches/{n}", [write]) for n, write in enumerate((good, bad, other))]
    rebuilding.load(*keys)
    rebuilding.prepare(excluding(exclude={"versions": [bad.version]}))
    rebuilding.fill(keys)
    rebuilding.swap()
    assert [(row["id"], row["text"], row["version"]) for row in rebuilding.tables()["codes"]] == [
        ("c", "good", good.version),
        ("d", "other", other.version),
    ]


def test_a_time_range_of_one_collection_is_excluded(rebuilding: Rebuilding) -> None:
    before, first = code("c", "before"), wait_and_read_time()
    during, private = code("c", "during"), put({"label": "during"})
    last, after = wait_and_read_time(), code("d", "after")
    key = rebuilding.rig.objects.put("batches/a", [before, during, private, after])
    window = {"collections": ["codes"], "from": first.isoformat(), "to": last.isoformat()}
    rebuilding.prepare(excluding(exclude=window))
    rebuilding.fill([key])
    rebuilding.swap()
    assert [row["text"] for row in rebuilding.tables()["codes"]] == ["before", "after"]
    assert [row["label"] for row in rebuilding.tables()["things"]] == ["during"]


@pytest.mark.parametrize("way", ["redelivered", "again", "archived", "another batch", "with care"])
def test_no_later_load_applies_an_excluded_write(rebuilding: Rebuilding, way: str) -> None:
    """In each of these ways the ledger does not prevent the load."""
    rig = rebuilding.rig
    good, bad = code("c", "good"), code("c", "bad")
    keys = [rig.objects.put("batches/good", [good]), rig.objects.put("batches/bad", [bad])]
    rebuilding.prepare(excluding(exclude={"versions": [bad.version]}))
    rebuilding.fill(keys)
    rebuilding.swap()
    newer = code("d", "newer")
    batch: list[Write | bytes] = [bad, newer]
    if way == "with care":
        batch.append(b"\n")
    if way == "redelivered":
        key = keys[1]
        rebuilding.live.load_batch("bucket", key)
    else:
        entry: Any = {"again": "reload", "archived": "bypass"}.get(way, "once")
        key = rig.objects.put("batches/other", batch)
        rebuilding.live._context = replace(rebuilding.live._context, ledger_mode=entry)
        rebuilding.live.load_batch("bucket", key)
        assert [row["text"] for row in rebuilding.rows("SELECT text FROM codes WHERE id = 'd'")] == ["newer"]
    assert [row["text"] for row in rebuilding.rows("SELECT text FROM codes WHERE id = 'c'")] == ["good"]


def test_a_write_accepted_after_the_start_of_the_rebuild_is_never_excluded(rebuilding: Rebuilding) -> None:
    rebuilding.prepare(excluding(exclude={"collections": ["codes"]}))
    rebuilding.swap()
    key = rebuilding.rig.objects.put("batches/a", [code("c", "new")])
    assert [result.applied for result in rebuilding.load(key)] == [1]
    assert [row["text"] for row in rebuilding.tables()["codes"]] == ["new"]


def test_a_load_of_newer_writes_reads_no_rules(rebuilding: Rebuilding, monkeypatch: pytest.MonkeyPatch) -> None:
    old = code("c", "old")
    rebuilding.prepare(excluding(exclude={"collections": ["codes"]}))
    rebuilding.swap()
    statements: list[str] = []
    execute = pymysql.cursors.Cursor.execute

    def noted(self: Any, query: str, args: Any = None) -> int:
        statements.append(query)
        return execute(self, query, args)

    monkeypatch.setattr(pymysql.cursors.Cursor, "execute", noted)
    rebuilding.load(rebuilding.rig.objects.put("batches/new", [code("c", "new")]))
    assert not [statement for statement in statements if "FROM exclusions" in statement]
    rebuilding.load(rebuilding.rig.objects.put("batches/old", [old]))
    assert [statement for statement in statements if "FROM exclusions" in statement]


def test_loads_do_not_lock_the_row_that_they_all_read(rebuilding: Rebuilding, connect: Connect) -> None:
    """Otherwise an exclusive load and a sharing load would wait for each other."""
    old = code("c", "old")
    rebuilding.prepare(excluding(exclude={"collections": ["things"]}))
    rebuilding.swap()
    with connect().cursor() as other:
        other.execute("SET SESSION innodb_lock_wait_timeout = 1")
        rebuilding.live.load_batch("bucket", rebuilding.rig.objects.put("batches/0", [code("d", "new")]))
        other.execute("SELECT version FROM marks WHERE name = 'exclusions' FOR UPDATE")
        began = time.monotonic()
        # An exclusive load, and a sharing one.
        rebuilding.load(rebuilding.rig.objects.put("batches/1", [code("e", "new")]))
        rebuilding.load(rebuilding.rig.objects.put("batches/2", [old]))
        assert time.monotonic() - began < 2


def test_rejected_writes_keep_their_lines_beside_excluded_ones(rebuilding: Rebuilding) -> None:
    out, bad, good = code("c", "out"), put({"label": "good"}), put({"label": "fine"})
    bad.data = type(bad.data)(bytes(bad.data).replace(b'"good"', f'"{TOO_LONG}"'.encode()))
    key = rebuilding.rig.objects.put("batches/a", [out, bad, good])
    rebuilding.prepare(excluding(exclude={"collections": ["codes"]}))
    [outcome] = rebuilding.fill([key])
    assert (outcome.applied, outcome.rejected) == (1, 1)
    rebuilding.swap()
    assert [row["line"] for row in rebuilding.rows("SELECT line FROM rejected_writes")] == [2]


def test_the_next_rebuild_has_the_same_exclusions_unless_they_are_reset(rebuilding: Rebuilding) -> None:
    bad = code("c", "bad")
    key = rebuilding.rig.objects.put("batches/a", [bad, put({"label": "x"})])
    first = excluding("first", exclude={"versions": [bad.version]}, reason="a bad client")
    assert rebuilding.prepare(first) == [first]
    rebuilding.fill([key])
    rebuilding.swap()
    [row] = rebuilding.rows("SELECT execution, reason FROM exclusions")
    assert row == {"execution": "first", "reason": "a bad client"}
    time.sleep(1)  # names of retained schemas have a resolution of one second
    second = excluding("second", exclude={"collections": ["things"]})
    assert [exclusion.execution for exclusion in rebuilding.prepare(second)] == ["first", "second"]
    rebuilding.fill([key])
    rebuilding.swap()
    assert rebuilding.tables()["things"] == rebuilding.tables()["codes"] == []
    time.sleep(1)
    assert [exclusion.rules for exclusion in rebuilding.prepare(excluding(reset_exclusions=True))] == [()]
    rebuilding.fill([key])
    rebuilding.swap()
    assert [row["text"] for row in rebuilding.tables()["codes"]] == ["bad"]
    assert len(rebuilding.schemas()) == 3


def test_new_tables_that_lack_a_loaded_batch_are_not_swapped_in(rebuilding: Rebuilding) -> None:
    keys = put_batches(rebuilding.rig)
    rebuilding.load(*keys)
    before, began = rebuilding.tables(), datetime.datetime.now(datetime.UTC)
    rebuilding.prepare()
    rebuilding.fill(keys[1:])
    with pytest.raises(RebuildRefused, match=r"would lack 1 batches of the old ones, the first is batches/00"):
        rebuilding.swap(began)
    assert rebuilding.tables() == before
    rebuilding.load(rebuilding.rig.objects.put("batches/meanwhile", [code("m", "meanwhile")]))
    rebuilding.fill(keys[:1])
    rebuilding.swap(began)  # the final replay loads what arrived meanwhile
    assert rebuilding.tables() == before


def test_tables_that_a_migration_changed_meanwhile_are_not_swapped(rebuilding: Rebuilding) -> None:
    rebuilding.prepare()
    with rebuilding.admin.cursor() as cursor:
        cursor.execute("ALTER TABLE things ADD COLUMN more INT")
    with pytest.raises(RebuildRefused, match=r"changed after this rebuild started \(things\)"):
        rebuilding.swap()


ASCII = "VARCHAR(128) CHARACTER SET ascii COLLATE ascii_bin"
REFERS = "CONSTRAINT there FOREIGN KEY (owner, id) REFERENCES codes (owner, id)"


@pytest.mark.parametrize(
    ("statement", "thing"),
    [
        ("CREATE TRIGGER mine BEFORE INSERT ON codes FOR EACH ROW SET NEW.text = 'x'", "the trigger mine of codes"),
        ("ALTER TABLE codes ADD UNIQUE INDEX mine (text)", "the index mine of codes"),
        (f"CREATE TABLE mine (owner {ASCII}, id {ASCII}, {REFERS}) ENGINE=InnoDB", "the foreign key there of mine"),
    ],
)
def test_objects_that_a_rebuild_would_lose_are_refused_before_anything_is_created(
    rebuilding: Rebuilding, servers: DatabaseServers, statement: str, thing: str
) -> None:
    # With a binary log, the RDS master user may not create a trigger either.
    with servers.primary.connect_as_root() as connection, connection.cursor() as cursor:
        connection.select_db(rebuilding.schema)
        cursor.execute(statement)
    with pytest.raises(RebuildRefused, match=f"No migration created {thing}, (and a rebuild cannot|which is unique)"):
        rebuilding.prepare()
    assert rebuilding.schemas() == []
