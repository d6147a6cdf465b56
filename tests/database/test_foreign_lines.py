"""Lines that none of our write functions made: set apart or unreadable, by name, and nothing else."""

import msgspec
import pytest

from sluice.faults import UnreadableBatch
from sluice.records import to_line
from tests.database.rig import Rig
from tests.database.things import put


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
def test_a_line_with_a_wrong_envelope_is_no_write(rig: Rig, change: dict[str, object]) -> None:
    line = msgspec.json.encode(msgspec.json.decode(to_line(put({"label": "x"}))) | change) + b"\n"
    with pytest.raises(UnreadableBatch):
        rig.load(put({"label": "y"}), line)
    assert rig.rows("SELECT 1 FROM things UNION ALL SELECT 1 FROM loaded_batches") == []


@pytest.mark.parametrize("text", [b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80"])
def test_a_text_that_is_no_utf_8_is_rejected(rig: Rig, text: bytes) -> None:
    line = to_line(put({"label": "x"})).replace(b'"label":"x"', b'"label":"' + text + b'"')
    outcome = rig.load(put({"label": "y"}), line)
    assert (outcome.applied, outcome.rejected) == (1, 1)
    [row] = rig.rows("SELECT `write` FROM rejected_writes")
    assert row["write"].encode() + b"\n" == line.replace(text, "".join(f"\\x{byte:02x}" for byte in text).encode())
