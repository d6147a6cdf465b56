"""Unusual envelopes: every valid spelling, and invalid ones."""

import datetime

import msgspec
import pytest

from sluice.model.record import encode_write
from tests.database.awkward import assert_unreadable, bad_line, good_line, load
from tests.database.rig import Rig
from tests.database.things import CODES, put


@pytest.mark.parametrize("owner", ['a"b', "a,b", "a\\b", "\\N", "NULL", "]", '",', "a'b", "\\", "[x]\\n"])
def test_an_owner_of_any_printable_characters(rig: Rig, owner: str) -> None:
    for others in ([], [bad_line()]):
        older, newer = put({"label": "older"}, owner=owner), put({"label": "newer"}, owner=owner)
        newer.id = older.id
        assert load(rig, [encode_write(newer), *others, encode_write(older)]).stale == 1
        assert load(rig, [encode_write(older), good_line()]).stale == 1
        assert rig.rows("SELECT label, owner FROM things WHERE id = %s", older.id) == [
            {"label": "newer", "owner": owner}
        ]


@pytest.mark.parametrize(
    ("field", "spelled"),
    [
        (b"id", rb"\u0041"),
        (b"accepted_at", b"2026-11-25T06:00:00+02:00"),
        (b"accepted_at", rb"2026-11-25T04:00:00\u005a"),
    ],
)
def test_an_envelope_in_another_spelling(rig: Rig, field: bytes, spelled: bytes) -> None:
    for others in ([], [bad_line()]):
        write = put({"code": "A"}, "A", resource=CODES)
        write.accepted_at = datetime.datetime(2026, 11, 25, 4, tzinfo=datetime.UTC)
        plain = encode_write(write)
        value = msgspec.json.encode(msgspec.json.decode(plain)[field.decode()])
        line = plain.replace(b'"%b":%b' % (field, value), b'"%b":"%b"' % (field, spelled))
        assert line != plain
        outcome = load(rig, [line, plain, *others])
        assert (outcome.applied, outcome.stale) == (1, 1)
        [row] = rig.rows("SELECT id, version, HOUR(written_at) AS hour FROM codes")
        assert row == {"id": "A", "version": write.version, "hour": 4}


@pytest.mark.parametrize(
    "change",
    [
        {"version": "0" + "I" * 25},
        {"version": "0" + "é" * 25},
        {"version": '"' * 26},
        {"version": "8" + "0" * 25},
        {"owner": "a\nb"},
        {"owner": "é"},
        {"id": "a b"},
        {"id": "A "},
        {"accepted_at": "2026-11-25"},
        {"accepted_at": "2026-11-25T04:00:00"},
        {"accepted_at": "20261125040000"},
        {"schema": 0},
        {"schema": "1"},
        {"operation": "patch"},
        {"collection": "Codes"},
        {"request_id": "a b"},
        {"request_id": "x" * 65},
        {"request_id": 1},
        {"more": 1},
    ],
)
def test_an_invalid_envelope(rig: Rig, change: dict[str, object]) -> None:
    # In the first load every version is older than the mark.
    rig.rows("INSERT INTO marks (name, version) VALUES ('high_water', %s)", "7" + "Z" * 25)
    rig.connection.commit()
    line = (
        msgspec.json.encode(msgspec.json.decode(encode_write(put({"code": "A"}, "A", resource=CODES))) | change) + b"\n"
    )
    for others in ([], [good_line()], [bad_line()]):
        assert_unreadable(rig, [*others, line])
        assert_unreadable(rig, [line, *others])
