"""Load one batch into the tables and the ledger."""

import datetime
import gzip

import msgspec
import pytest

from sluice.errors import SchemaOutdated, UnreadableBatch
from sluice.load import loader
from sluice.model.item_state import ItemAddress
from sluice.model.record import Write, encode_write
from sluice.model.resource import create_resource
from sluice.query import item
from sluice.query.list import PageRequest, select_page
from sluice.query.query_planner import plan_query
from tests.database.rig import Rig
from tests.database.things import CODES, OWNER, THINGS, Thing, delete, put

AWKWARD = [
    "plain",
    "",
    'quote " and \\ backslashes \\" \\\\',
    "\t tab \n line \r return \0 null",
    "\a bell \b back \f feed \x1b escape",
    "NULL",
    "null",
    "\\N",
    " blanks around ",
    "ελληνικά 日本語 😀",
    "\\u0041 \\f / \\/",
    "a" * 40,
]


def stored(rig: Rig, write: Write) -> dict[str, object] | None:
    rig.connection.rollback()
    resource = rig.resources[write.collection]
    selected = item.select_item(rig.database, ItemAddress(resource, write.owner, write.id))
    rig.database.drop_connection()
    if selected is None or selected.state.body is None:
        return None
    return dict(msgspec.json.decode(selected.state.body)["data"])


@pytest.mark.parametrize("text", AWKWARD)
def test_every_text_is_stored_as_it_was_sent(rig: Rig, text: str) -> None:
    attributes = {text: [text, None, {"deep": text}]}
    write = put({"label": text, "story": text, "tags": [text, text], "attributes": attributes, "note": text[:20]})
    assert rig.load(write).applied == 1
    stored_row = stored(rig, write)
    assert stored_row is not None
    assert [stored_row[name] for name in ("label", "story", "tags", "attributes", "note")] == [
        text,
        text,
        [text, text],
        attributes,
        text[:20],
    ]


@pytest.mark.parametrize(
    "data",
    [
        {"count": 2**63 - 1, "number": -(2**63), "ratio": 1.7976931348623157e308, "price": "123456789.125"},
        {"ratio": 5e-324, "price": "-0.001", "amount": "999999.99", "maybe": False, "done": True},
        {"day": "0001-01-01", "moment": "9999-12-31T23:59:59.999999Z", "seen": "0001-01-01T00:00:00Z"},
        {"token": "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "colour": "green", "size": "l", "rank": 3},
        {"part": {"name": 'a "part"', "weight": 0.1}, "attributes": {"a": [1, 2.5, None, True, {"b": []}]}},
        {"moment": "2024-02-29T12:00:00+05:30"},
        {},
    ],
)
def test_every_type_is_stored_as_it_was_sent(rig: Rig, data: dict[str, object]) -> None:
    write = put({"label": "x", **data})
    outcome = rig.load(write)
    assert (outcome.applied, outcome.rejected) == (1, 0)
    expected = msgspec.json.decode(write.data, type=THINGS.strict_model)
    assert msgspec.convert(stored(rig, write), THINGS.strict_model) == expected


def test_an_optional_field_without_a_value_is_null(rig: Rig) -> None:
    write = put({"label": "x", "note": None, "number": None})
    rig.load(write)
    [row] = rig.rows("SELECT note, number, seen, part FROM things")
    assert set(row.values()) == {None}


def test_an_explicit_null_is_null_too(rig: Rig) -> None:
    write = put({"label": "x"})
    data = msgspec.json.decode(write.data) | {"note": None, "number": None, "maybe": None, "seen": None, "part": None}
    write.data = msgspec.Raw(msgspec.json.encode(data))
    assert rig.load(write).applied == 1
    [row] = rig.rows("SELECT note, number, maybe, seen, part FROM things")
    assert set(row.values()) == {None}


def test_the_greater_version_wins_in_any_order(rig: Rig) -> None:
    first = put({"label": "first"})
    second = put({"label": "second"}, first.id)
    rig.load(second)
    outcome = rig.load(first)
    assert (outcome.applied, outcome.stale) == (0, 1)
    assert (stored(rig, first) or {})["label"] == "second"


def test_within_a_batch_only_the_latest_write_to_an_item_counts(rig: Rig) -> None:
    writes = [put({"label": "0"})]
    writes += [put({"label": str(n)}, writes[0].id) for n in range(1, 5)]
    outcome = rig.load(writes[3], writes[4], writes[0], writes[1], writes[2])
    assert (outcome.applied, outcome.stale) == (1, 4)
    assert (stored(rig, writes[0]) or {})["label"] == "4"


def test_a_delete_leaves_a_tombstone_that_an_older_write_cannot_undo(rig: Rig) -> None:
    older = put({"label": "older"})
    gone = delete(older.id)
    newer = put({"label": "newer"}, older.id)
    rig.load(gone)
    rig.load(older)
    assert stored(rig, older) is None
    [row] = rig.rows("SELECT deleted, version, label FROM things")
    assert row == {"deleted": 1, "version": gone.version, "label": None}
    rig.load(newer)
    assert (stored(rig, older) or {})["label"] == "newer"


def test_a_batch_is_loaded_once(rig: Rig) -> None:
    key = rig.objects.put("batches/a", [put({"label": "x"})])
    loader = rig.loader()
    assert loader.load_batch("bucket", key).status == "loaded"
    assert loader.load_batch("bucket", key).status == "already_loaded"
    assert rig.rows("SELECT object_key, applied, stale, rejected FROM loaded_batches") == [
        {"object_key": key, "applied": 1, "stale": 0, "rejected": 0}
    ]


def test_the_same_key_with_another_etag_is_another_batch(rig: Rig) -> None:
    write = put({"label": "x"})
    rig.load(write, key="batches/a")
    outcome = rig.load(write, put({"label": "y"}), key="batches/a")
    assert (outcome.status, outcome.applied, outcome.stale) == ("loaded", 1, 1)
    assert rig.rows("SELECT COUNT(*) AS n FROM loaded_batches") == [{"n": 2}]


def test_several_collections_and_owners_in_one_batch(rig: Rig) -> None:
    first, other = put({"label": "one"}), put({"label": "other"}, owner="someone")
    other.id = first.id
    code = put({"code": "A", "text": "alpha"}, "A", resource=CODES)
    assert rig.load(first, code, other).applied == 3
    assert (stored(rig, first) or {})["label"] == "one"
    assert (stored(rig, other) or {})["label"] == "other"
    assert stored(rig, code) == {"code": "A", "text": "alpha"}


def test_rows_that_the_database_does_not_accept_are_rejected(rig: Rig) -> None:
    writes = [put({"label": f"good {n}"}) for n in range(100)]
    bad = {7: {"label": "x" * 41}, 40: {"label": "x", "count": 2**63}, 41: {"label": "x", "day": "2024-02-30"}}
    for at, data in bad.items():
        writes[at].data = msgspec.Raw(msgspec.json.encode(data))
    outcome = rig.load(*writes, key="batches/bad")
    assert (outcome.applied, outcome.rejected) == (97, 3)
    rejected_rows = rig.rows(
        "SELECT version, line, object_key, collection, owner, id, `write`, reason FROM rejected_writes ORDER BY line"
    )
    assert [row["line"] for row in rejected_rows] == [8, 41, 42]
    assert [row["version"] for row in rejected_rows] == [writes[at].version for at in bad]
    assert {row["object_key"] for row in rejected_rows} == {"batches/bad"}
    assert rejected_rows[0]["write"] == encode_write(writes[7]).decode().removesuffix("\n")
    assert "label" in rejected_rows[0]["reason"]
    assert rig.rows("SELECT COUNT(*) AS n FROM things") == [{"n": 97}]
    assert rig.rows("SELECT rejected FROM loaded_batches") == [{"rejected": 3}]


@pytest.mark.parametrize("label", ["good", "x" * 41])
def test_a_load_logs_the_requests_of_its_writes(rig: Rig, monkeypatch: pytest.MonkeyPatch, label: str) -> None:
    """Of both engines. A write from before there were request ids has none; a batch is logged once."""
    logged: list[tuple[str, set[str]]] = []
    monkeypatch.setattr(loader, "log_request_ids", lambda message, ids: logged.append((message, set(ids))))
    writes = [put({"label": "first"}), put({"label": "second"}), put({"label": "old"}), put({"label": "x"})]
    writes[0].request_id, writes[1].request_id, writes[3].request_id = "first", "second", "third"
    writes[3].data = msgspec.Raw(msgspec.json.encode({"label": label}))
    for _ in range(2):
        rig.load(*writes, key="batches/one")
    assert logged == [
        ("load contains writes of these requests", {"first", "second", "third"}),
        ("load rejected writes of these requests", set() if label == "good" else {"third"}),
    ]


def test_a_rejected_write_does_not_shadow_an_older_good_one_of_another_batch(rig: Rig) -> None:
    good = put({"label": "good"})
    bad = put({"label": "bad"}, good.id)
    bad.data = msgspec.Raw(b'{"label":"x","count":99999999999999999999}')
    rig.load(bad)
    rig.load(good)
    assert (stored(rig, good) or {})["label"] == "good"


def test_a_rejected_write_does_not_shadow_an_older_good_one_of_its_own_batch(rig: Rig) -> None:
    good = put({"label": "good"})
    bad = put({"label": "bad"}, good.id)
    bad.data = msgspec.Raw(b'{"label":"x","count":99999999999999999999}')
    worse, stranger = put({"label": "worse"}, good.id), put({"label": "x"})
    worse.data, stranger.collection = bad.data, "strangers"
    outcome = rig.load(worse, good, stranger, bad)
    assert (outcome.applied, outcome.stale, outcome.rejected) == (1, 0, 3)
    assert (stored(rig, good) or {})["label"] == "good"


def test_a_write_to_an_unknown_collection_is_rejected(rig: Rig) -> None:
    stranger = put({"label": "x"})
    stranger.collection = "strangers"
    outcome = rig.load(stranger, put({"label": "y"}))
    assert (outcome.applied, outcome.rejected) == (1, 1)
    assert rig.rows("SELECT reason FROM rejected_writes") == [{"reason": "unknown collection"}]


@pytest.mark.parametrize(
    "content",
    [b"no gzip", gzip.compress(b"not json\n"), gzip.compress(b'{"a":1}\n'), gzip.compress(b"x" * 9999)[:-9]],
    ids=["no GZIP", "no JSON", "no write", "cut short"],
)
def test_an_unreadable_batch_leaves_nothing(rig: Rig, content: bytes) -> None:
    rig.objects.content["batches/broken"] = content
    with pytest.raises(UnreadableBatch):
        rig.loader().load_batch("bucket", "batches/broken")
    assert rig.rows("SELECT COUNT(*) AS n FROM loaded_batches") == [{"n": 0}]


def test_several_gzip_members_are_one_batch(rig: Rig) -> None:
    rig.objects.content["batches/two"] = b"".join(gzip.compress(encode_write(put({"label": "x"}))) for _ in range(2))
    assert rig.loader().load_batch("bucket", "batches/two").applied == 2


def test_a_write_of_a_newer_revision_waits_for_the_deploy(rig: Rig) -> None:
    newer = put({"label": "x"})
    newer.schema = 2
    with pytest.raises(SchemaOutdated):
        rig.load(put({"label": "y"}), newer)
    assert rig.rows("SELECT COUNT(*) AS n FROM things") == [{"n": 0}]


def test_a_field_that_the_current_class_lacks(rig: Rig) -> None:
    write = put({"label": "x"})
    write.data = msgspec.Raw(b'{"label":"x","retired":"value"}')
    with pytest.raises(SchemaOutdated):
        rig.load(write)
    rig.resources = {"things": create_resource(Thing, "things", private=True, revision=2)}
    outcome = rig.load(write)
    assert (outcome.applied, outcome.unknown_fields) == (1, 1)


def test_a_batch_larger_than_a_part_is_still_one_transaction(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.load.fast.fast_reader.FIRST_PART_BYTES", 1)
    monkeypatch.setattr("sluice.load.batch_reader.BLOCK_BYTES", 10_000)
    writes = [put({"label": str(n)}) for n in range(200)]
    newer_writes = [put({"label": "again"}, write.id) for write in writes[:50]]
    outcome = rig.load(*writes, *newer_writes)
    assert (outcome.applied, outcome.stale) == (250, 0)
    assert rig.rows("SELECT COUNT(*) AS n, SUM(label = 'again') AS again FROM things") == [{"n": 200, "again": 50}]


def test_the_lag_is_that_of_the_oldest_write(rig: Rig) -> None:
    old = put({"label": "x"})
    old.accepted_at -= datetime.timedelta(minutes=5)
    assert rig.load(put({"label": "y"}), old).lag_ms >= 300_000


def test_the_owner_sees_only_their_own(rig: Rig) -> None:
    mine, theirs = put({"label": "mine"}), put({"label": "theirs"}, owner="someone")
    rig.load(mine, theirs)
    items, more = select_page(rig.database, plan_query(THINGS, {}), OWNER, PageRequest(10))
    assert [item.id for item in items] == [mine.id]
    assert more is None
