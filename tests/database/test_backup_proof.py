"""A restored copy is compared with the live database: what it lacks is loaded, and every difference is found."""

import random
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from botocore.exceptions import ClientError

from local.database import DatabaseServer, DatabaseServers
from sluice.db.connection import Database
from sluice.load.batch_reader import BatchObject
from sluice.model.record import Write
from sluice.proof.fingerprint import Fingerprint, read_fingerprint
from sluice.proof.live_state import pair_rows
from sluice.proof.proof_steps import migrate_copy
from tests.database.conftest import Connect
from tests.database.proof_rig import ProofRig, second_server
from tests.database.rebuild_rig import Rebuilding, excluding
from tests.database.rig import Rig
from tests.database.things import CODES, OWNER, THINGS, delete, put

ROWS: list[dict[str, Any]] = [
    {"label": "plain"},
    {"label": "quotes ' \" \\ and, commas", "story": "a\nb\0c", "ratio": 1e-300, "price": "-12.345"},
    {"label": "numbers", "ratio": 0.1 + 0.2, "count": -(2**62), "attributes": {"b": [1, 2.5, None], "a": "é"}},
    {"label": "nulls", "note": None, "seen": None, "maybe": None, "amount": None},
    {"label": "texts", "note": "", "tags": ["", "x "], "done": True, "seen": "2024-02-29T23:59:59.123456Z"},
]


@pytest.fixture(scope="module")
def other_server(servers: DatabaseServers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DatabaseServer]:
    with second_server(servers, tmp_path_factory.mktemp("second")) as server:
        yield server


@pytest.fixture
def proving(rig: Rig, servers: DatabaseServers, other_server: DatabaseServer) -> Iterator[ProofRig]:
    settings = msgspec.structs.replace(rig.database._settings, database_port=other_server.port)
    copy = Database(settings, statement_timeout_seconds=30, for_loading=True)
    with other_server.connect(*servers.admin_credentials) as admin:
        created = ProofRig(rig, copy, admin)
        yield created
        copy.drop_connection()
        created.change(f"DROP DATABASE IF EXISTS {created.schema}")


def code(name: str, text: str | None) -> Write:
    return put({"code": name, "text": text}, name, "", CODES)


def load_rows(rig: Rig) -> None:
    """Batches with values of all kinds, a tombstone, and a rejected write."""
    rig.load(*(put(row) for row in ROWS), key="batches/01")
    rig.load(code("a", "1"), code("b", "2"), code("c", None), key="batches/02")
    rejected = code("d", "x")
    rejected.data = msgspec.Raw(b'{"code":"d","text":7}')
    rig.load(delete("b", "", CODES), rejected, key="batches/03")


def test_a_complete_copy_equals_the_live_database(proving: ProofRig) -> None:
    load_rows(proving.rig)
    proving.back_up()
    proof = proving.begin()
    assert proof.live
    assert (proof.live.batches, proof.live.rejected_writes, proving.tail.batches) == (3, 1, [])
    assert proof.live.fingerprints["codes"].items == 2
    assert proof.live.fingerprints["codes"].tombstones == 1
    assert proving.prove() == []


def test_batches_after_the_backup_are_loaded_into_the_copy(proving: ProofRig) -> None:
    load_rows(proving.rig)
    proving.back_up()
    proving.rig.load(code("a", "3"), delete("c", "", CODES), key="batches/04")
    proving.rig.load(*(put(row) for row in ROWS), key="batches/05")
    bad = code("e", "x")
    bad.data = msgspec.Raw(b'{"code":"e","text":[]}')
    proving.rig.load(bad, key="batches/06")
    proof = proving.begin()
    assert [entry.key for entry in proving.tail.batches] == ["batches/04", "batches/05", "batches/06"]
    assert len(proving.tail.rejected_writes) == 1
    # Later batches are not loaded: the copy has to reach the state that was read.
    proving.rig.load(code("z", "later"), key="batches/07")
    assert proving.compare(proving.load(proof)) == []
    assert proving.copied_rows("SELECT * FROM codes WHERE id = 'z'") == []


def test_without_the_tail_the_copy_differs(proving: ProofRig) -> None:
    load_rows(proving.rig)
    proving.back_up()
    proving.rig.load(code("a", "3"), key="batches/04")
    [sentence] = proving.compare(proving.begin())
    assert sentence.startswith("codes: 2 items, 1 tombstones and checksum ")


def test_an_empty_backup_gets_everything(proving: ProofRig) -> None:
    load_rows(proving.rig)
    proving.make_tables()
    assert proving.prove() == []
    assert len(proving.copied_rows("SELECT * FROM things")) == len(ROWS)


def test_a_migration_of_the_copy_does_not_make_its_backup_newer(proving: ProofRig) -> None:
    """A backup of before the first moment has none. With one of today, it would have to have all that was loaded."""
    load_rows(proving.rig)
    proving.change_live("UPDATE loaded_batches SET loaded_at = loaded_at - INTERVAL 1 HOUR")
    proving.make_tables()
    server = Database(msgspec.structs.replace(proving.copy._settings, database_name=""), statement_timeout_seconds=30)
    migrate_copy(server, proving.schema, proving.rig.resources, 60)
    assert proving.copied_rows("SELECT * FROM marks") == []
    assert proving.prove() == []


def test_an_empty_backup_of_an_empty_database_is_proven(proving: ProofRig) -> None:
    proving.back_up()
    assert proving.prove() == []


@pytest.mark.parametrize(
    ("damage", "table"),
    [
        ("UPDATE codes SET text = '1 ' WHERE id = 'a'", "codes"),
        ("UPDATE codes SET text = '' WHERE id = 'c'", "codes"),
        ("UPDATE codes SET text = 'NULL' WHERE id = 'c'", "codes"),
        ("UPDATE codes SET deleted = 0 WHERE id = 'b'", "codes"),
        ("DELETE FROM codes WHERE id = 'a'", "codes"),
        ("DELETE FROM codes WHERE deleted", "codes"),
        ("UPDATE codes SET written_at = written_at + INTERVAL 1 MICROSECOND WHERE id = 'a'", "codes"),
        ("UPDATE things SET ratio = ratio * 1.0000000000000002 WHERE label = 'numbers'", "things"),
        ("UPDATE things SET price = price + 0.001 WHERE label = 'plain'", "things"),
        ('UPDATE things SET attributes = \'{"b":[1,2.5,null],"a":"e"}\' WHERE label = \'numbers\'', "things"),
        ("UPDATE things SET story = CONCAT(story, ' ') WHERE label LIKE 'quotes%'", "things"),
        ("UPDATE things SET note = NULL WHERE label = 'texts'", "things"),
        ("UPDATE things SET done = NOT done", "things"),
    ],
)
def test_a_difference_of_one_row_is_found(proving: ProofRig, damage: str, table: str) -> None:
    load_rows(proving.rig)
    proving.back_up()
    proving.change(damage)
    proof = proving.load(proving.begin())
    [sentence] = proving.compare(proof)
    assert sentence.startswith(f"{table}: ")
    assert proving.examples(proof).keys() == {table}


def test_values_that_two_rows_exchange_are_found(proving: ProofRig) -> None:
    """The CRC32s of two rows of equal lengths would have the same XOR after the exchange."""
    proving.rig.load(code("a", "1"), code("b", "2"))
    proving.back_up()
    proving.change(
        "UPDATE codes SET text = IF(id = 'a', '2', '1'), version = (SELECT MAX(version) FROM codes)",
    )
    assert len(proving.prove()) == 1


def test_the_example_is_the_differing_item_and_not_one_that_changed_later(proving: ProofRig) -> None:
    load_rows(proving.rig)
    proving.back_up()
    proving.change("UPDATE codes SET text = 'other' WHERE id = 'c'")
    proof = proving.begin()
    proving.rig.load(code("a", "later"), key="batches/04")
    proof = proving.load(proof)
    proving.compare(proof)
    assert proving.examples(proof) == {"codes": ("", "c")}


def test_a_lost_entry_of_the_backups_ledger_is_found(proving: ProofRig) -> None:
    load_rows(proving.rig)
    proving.change_live("UPDATE loaded_batches SET loaded_at = loaded_at - INTERVAL 1 HOUR")
    proving.back_up()
    proving.change("DELETE FROM loaded_batches WHERE object_key = 'batches/02'")
    [sentence] = proving.prove()
    assert sentence == (
        "The backup's ledger lacks 1 batches that were loaded before the backup was made; the first is batches/02."
    )


def test_an_entry_that_only_the_backups_ledger_has_is_found(proving: ProofRig) -> None:
    load_rows(proving.rig)
    proving.back_up()
    proving.change_live("DELETE FROM loaded_batches WHERE object_key = 'batches/02'")
    [sentence] = proving.prove()
    assert sentence == "The live ledger lacks 1 batches that the backup's ledger has; the first is batches/02."


def test_a_rejected_write_with_another_text_is_found_and_a_dropped_one_is_ignored(proving: ProofRig) -> None:
    load_rows(proving.rig)
    proving.back_up()
    proving.change("UPDATE rejected_writes SET `write` = CONCAT(`write`, ' ')")
    [sentence] = proving.prove()
    assert sentence.startswith("The copy lacks 1 rejected writes")
    proving.change_live("DELETE FROM rejected_writes")
    assert proving.prove() == []


def test_a_batch_that_expired_is_a_difference(proving: ProofRig) -> None:
    proving.back_up()
    proving.rig.load(code("a", "1"), key="batches/01")
    proving.rig.load(code("b", "1"), key="batches/02")

    def open_unless_expired(bucket: str, key: str) -> BatchObject:
        if key == "batches/01":
            raise ClientError({"Error": {"Code": "NoSuchKey"}}, "GetObject")
        return proving.rig.objects.open(bucket, key)

    proof = proving.load(proving.begin(), open_unless_expired)
    assert proving.compare(proof)[0] == (
        "The backup lacks 1 batches that cannot be loaded: the first, batches/01, is no longer in the bucket."
    )
    assert len(proving.copied_rows("SELECT * FROM codes")) == 1


def test_a_batch_that_is_unreadable_now_is_a_difference(proving: ProofRig) -> None:
    proving.back_up()
    proving.rig.load(code("a", "1"), key="batches/01")
    proving.rig.objects.content["batches/01"] = b"no gzip"
    proof = proving.load(proving.begin())
    assert proving.compare(proof)[0].endswith("the first, batches/01, cannot be read any more.")


def test_a_replaced_object_is_counted(proving: ProofRig) -> None:
    proving.back_up()
    proving.rig.load(code("a", "1"), key="batches/01")
    proving.rig.load(code("a", "2"), code("b", "1"), key="batches/01")
    proof = proving.load(proving.begin())
    assert proof.replaced == 1
    assert proving.compare(proof) == []


def test_tables_that_a_rebuild_replaced_cannot_be_compared(proving: ProofRig, connect: Connect) -> None:
    load_rows(proving.rig)
    proving.back_up()
    rebuilding = Rebuilding(proving.rig, connect(autocommit=True))
    rebuilding.prepare(excluding("r1", exclude={"owners": [OWNER]}))
    rebuilding.fill(["batches/01", "batches/02", "batches/03"])
    rebuilding.swap()
    [sentence] = proving.prove()
    assert sentence.startswith("A rebuild replaced the tables after this backup")
    proving.back_up()
    assert proving.prove() == []
    rebuilding.clean()


def test_other_exclusions_cannot_be_compared(proving: ProofRig) -> None:
    proving.back_up()
    proving.change_live("INSERT INTO exclusions VALUES ('r1', '[]', '', UTC_TIMESTAMP(6))")
    [sentence] = proving.prove()
    assert sentence.startswith("The exclusions changed after this backup")


def test_a_null_from_before_a_field_equals_its_default(proving: ProofRig) -> None:
    """A load by the code of today stores the default for a write from before the field."""
    load_rows(proving.rig)
    defaults = ("story", "count", "ratio", "done", "price", "day", "moment", "token", "colour", "size", "rank", "tags")
    proving.back_up()
    sets = ", ".join(f"`{name}` = NULL" for name in (*defaults, "attributes"))
    proving.change(f"UPDATE things SET {sets} WHERE label = 'plain'")
    assert proving.prove() == []
    proving.change("UPDATE things SET note = 'x' WHERE label = 'plain'")
    assert len(proving.prove()) == 1


def test_columns_made_by_hand_and_the_order_of_columns_do_not_count(proving: ProofRig) -> None:
    load_rows(proving.rig)
    proving.back_up()
    proving.change(
        "ALTER TABLE codes ADD COLUMN remark INT DEFAULT 7 FIRST, MODIFY COLUMN text MEDIUMTEXT AFTER remark"
    )
    assert proving.prove() == []


def test_an_empty_table_has_a_fingerprint(proving: ProofRig) -> None:
    proving.back_up()
    assert read_fingerprint(proving.admin, THINGS) == Fingerprint(0, 0, "0" * 16)


def test_a_long_text_is_part_of_the_fingerprint(proving: ProofRig) -> None:
    """A text that would not fit into a packet of the server with its quotes."""
    text = "'" * 9_000_000
    proving.rig.load(code("a", "1"))
    proving.back_up()
    proving.change_live(f"UPDATE codes SET text = REPEAT('''', {len(text)})")
    assert len(proving.prove()) == 1
    proving.change(f"UPDATE codes SET text = REPEAT('''', {len(text)})")
    assert proving.prove() == []


def test_sorted_streams_are_paired_by_key() -> None:
    pairs = list(pair_rows(iter([("a", 1), ("b", 2)]), iter([("b", 3), ("c", 4)]), key_length=1))
    assert pairs == [(("a", 1), None), (("b", 2), ("b", 3)), (None, ("c", 4))]


def test_a_scan_of_many_rows(proving: ProofRig, record_property: Any) -> None:
    """Random rows have the same fingerprint on both servers, whatever the order in which they arrived."""
    random.seed(16)
    writes = [code(f"c{number}", random.choice(["x", None, "é" * 50])) for number in range(20_000)]
    proving.rig.load(*writes)
    random.shuffle(writes)
    proving.make_tables()
    started = time.monotonic()
    assert proving.prove() == []
    record_property("seconds", time.monotonic() - started)
