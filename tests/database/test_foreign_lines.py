"""Lines that the write functions never produce: rejected or unreadable."""

from itertools import permutations

import msgspec
import pytest

from sluice.errors import UnreadableBatch
from sluice.model.record import Write, encode_write
from tests.database.awkward import load, thing, with_neighbours
from tests.database.rig import Rig
from tests.database.things import CODES, put


@pytest.mark.parametrize(
    "change",
    [
        {"version": "01" * 14},
        {"version": None},
        {"id": "no uuid"},
        {"owner": "x" * 129},
        {"accepted_at": "yesterday"},
        {"accepted_at": None},
        {"data": None},
    ],
)
def test_a_line_with_an_invalid_envelope_is_not_a_write(rig: Rig, change: dict[str, object]) -> None:
    line = msgspec.json.encode(msgspec.json.decode(encode_write(put({"label": "x"}))) | change) + b"\n"
    with pytest.raises(UnreadableBatch):
        rig.load(put({"label": "y"}), line)
    assert rig.rows("SELECT 1 FROM things UNION ALL SELECT 1 FROM loaded_batches") == []


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80"])
def test_a_text_that_is_not_utf_8_is_rejected(rig: Rig, text: bytes) -> None:
    line = encode_write(put({"label": "x"})).replace(b'"label":"x"', b'"label":"' + text + b'"')
    outcome = rig.load(put({"label": "y"}), line)
    assert (outcome.applied, outcome.rejected) == (1, 1)
    [row] = rig.rows("SELECT `write` FROM rejected_writes")
    assert row["write"].encode() + b"\n" == line.replace(text, "".join(f"\\x{byte:02x}" for byte in text).encode())


ITEM = "01a20f25-a3f4-7a8b-b1d9-0123456789ab"
SPELLINGS = [
    ITEM.upper(),
    ITEM.replace("-", ""),
    "01a20f25a3f4-7a8b-b1d9-0123456789ab-",
    "01A20f25-a3f4-7a8b-b1d9-0123456789ab",
    "01a20f25a-3f4-7a8b-b1d9-0123456789ab",
    "01a20f25a3f47a8bb1d9-0123456789-a-b-",
]


def named(spelling: str, label: str) -> Write:
    write = put({"label": label})
    write.id = spelling
    return write


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_item_has_one_spelling_of_its_id(rig: Rig, spelling: str) -> None:
    """Two spellings would be two keys of one row, and the later merge would win."""
    for lines in permutations([named(ITEM, "older"), named(spelling, "foreign"), named(ITEM, "newer")]):
        outcome = load(rig, map(encode_write, lines))
        assert outcome.rejected == 1
        assert rig.rows("SELECT id, label FROM things") == [{"id": ITEM, "label": "newer"}]
        assert {row["reason"] for row in rig.rows("SELECT reason FROM rejected_writes")} == {
            "Expected a UUID in lower case with hyphens for the id"
        }
        rig.rows("DELETE FROM things")
        rig.connection.commit()


@pytest.mark.parametrize("item_id", [".", ".."])
def test_an_id_that_changes_the_path_is_invalid(rig: Rig, item_id: str) -> None:
    for _, lines in with_neighbours(lambda: encode_write(put({"code": "A"}, item_id, resource=CODES))):
        assert load(rig, lines).rejected == 1 + (len(lines) == 3)
        assert rig.rows("SELECT 1 FROM codes") == []


@pytest.mark.parametrize(
    ("field", "text"),
    [
        *(
            ("day", text)
            for text in ("2024-1-5", "2024/01/05", "20240105", "24-01-05", "2024-01-05 ", "2024-01-05T00:00:00")
        ),
        ("day", "0000-01-01"),
        *(
            (field, text)
            for field in ("moment", "seen")
            for text in (
                "2024-01-05T10:20:30",
                "2024-01-05T10:20:30.5Z",
                "2024-1-5T10:20:30.00Z",
                "2024-01-05 10:20:30Z",
                "2024- 1- 5T10:20:30Z",
                "2024-01-05T1:2:3.123456789Z",
                "20240105T102030.0000000000Z",
                "2024-01-05T10:20:30+00:00",
            )
        ),
    ],
)
def test_a_date_that_only_the_database_accepts_is_rejected(rig: Rig, field: str, text: str) -> None:
    for line, lines in with_neighbours(lambda: encode_write(thing(b'"%b":"%b"' % (field.encode(), text.encode())))):
        assert load(rig, lines).rejected == 1 + (len(lines) == 3)
        [row] = rig.rows("SELECT reason FROM rejected_writes WHERE `write` = %s", line.decode().strip())
        assert row["reason"].endswith(f" for {field}")
        assert rig.rows("SELECT 1 FROM things WHERE version = %s", msgspec.json.decode(line)["version"]) == []


@pytest.mark.parametrize("fraction", ["", ".000001", ".500000"])
def test_a_date_time_as_the_api_writes_it_is_accepted(rig: Rig, fraction: str) -> None:
    text = f"2024-01-05T10:20:30{fraction}Z"
    for line, lines in with_neighbours(lambda: encode_write(thing(b'"seen":"%b"' % text.encode()))):
        load(rig, lines)
        [row] = rig.rows("SELECT seen FROM things WHERE version = %s", msgspec.json.decode(line)["version"])
        assert row["seen"].isoformat() == text.removesuffix("Z")
