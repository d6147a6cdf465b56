"""Unusual values in a write: stored as sent, rejected with a reason, or invalid JSON in an unreadable batch."""

import datetime
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from sluice.model.record import decode_write, encode_write
from tests.database.awkward import assert_unreadable, load, thing, with_neighbours
from tests.database.rig import Rig

EMOJI = "😀".encode()


def deep(levels: int) -> bytes:
    """Nested arrays and objects of this depth."""
    return b'[{"a":' * (levels // 2) + b"[]" * (levels % 2) + b"0" * (1 - levels % 2) + b"}]" * (levels // 2)


STORED: dict[str, Callable[[bytes], Any]] = {
    "label": json.loads,
    "attributes": bytes.decode,
    "ratio": float,
    "count": int,
    "price": lambda raw: Decimal(raw.decode().strip('"')),
    "day": lambda raw: datetime.date.fromisoformat(json.loads(raw)),
}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("label", rb'"\u0001\u001f\f\b\u007f\n\r\t"'),
        ("label", rb'"a\u0000b\u0000"'),
        ("label", rb'"\ud83d\ude00\u0041\u20ac"'),
        ("label", b'"%b\xc3\xa9\xf4\x8f\xbf\xbf"' % EMOJI),
        ("label", '"' + "𝄞" * 40 + '"'),
        ("label", rb'"\/\\\" ,]\n[\u005c\u0022"'),
        ("label", rb'"\\u0041\\N"'),
        ("attributes", rb'{"\u0000\u0001\f\b":"\ud83d\ude00\u005c\u0022"}'),
        ("attributes", b'{"%b":["%b"]}' % (EMOJI, EMOJI)),
        ("attributes", b'{"a":1,"a":2}'),
        ("attributes", b'{ "a" : [ 1 , -0.0 , 1e400, 5E-3 ] }'),
        ("attributes", deep(31)),
        ("ratio", b"-0.0"),
        ("ratio", b"5"),
        ("ratio", b"-1.5E+3"),
        ("count", b"-9223372036854775808"),
        ("price", b'"-999999999.999"'),
        ("price", b"5.250"),
        ("day", b'"9999-12-31"'),
    ],
)
def test_a_value_is_stored_as_it_was_sent(rig: Rig, field: str, value: bytes | str) -> None:
    raw = value if isinstance(value, bytes) else value.encode()
    for line, lines in with_neighbours(lambda: encode_write(thing(b'"%b":%b' % (field.encode(), raw)))):
        assert load(rig, lines).applied == 2 - (len(lines) == 1)
        [row] = rig.rows(f"SELECT `{field}` AS stored FROM things WHERE version = %s", decode_write(line).version)
        # The database's -0.0 is 0.0, which is the same number.
        assert row["stored"] == STORED[field](raw)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (rb'"label":"\ud83d\ude00' + b"x" * 40 + b'"', "label"),
        (b'"count":9223372036854775808', "count"),
        (b'"count":%b' % (b"9" * 400), "count"),
        (b'"count":1.5', "an integer for count"),
        (b'"count":1e2', "an integer for count"),
        (b'"count":"5"', "an integer for count"),
        (b'"count":true', "an integer for count"),
        (b'"ratio":1e400', "ratio"),
        (b'"ratio":"1.5"', "a number for ratio"),
        (b'"price":"1234567890.5"', "price"),
        (b'"price":"0.0005"', "price"),
        (b'"price":true', "price"),
        (b'"done":5', "true or false for done"),
        (b'"day":"2024-02-30"', "day"),
        (b'"day":"0000-00-00"', "day"),
        (b'"day":"2024-00-10"', "day"),
        (b'"day":20240101', "a text for day"),
        (b'"moment":"2024-01-01T00:00:00+02:00"', "moment"),
        (b'"token":"x"', "token"),
        (b'"colour":"purple"', "colour"),
        (b'"label":5', "a text for label"),
        (b'"label":["x"]', "a text for label"),
        (b'"label":{"x":1}', "a text for label"),
        (b'"label":null', "a value for label, not null"),
        (b'"tags":null', "a value for tags, not null"),
        (b'"label":"\xff"', "UTF-8 for label"),
        (b'"label":"\xed\xa0\xbd"', "UTF-8 for label"),
        (b'"attributes":{"a":"\xff"}', "UTF-8 for attributes"),
        (b'"attributes":{"\xed\xa0\xbd":1}', "UTF-8 for attributes"),
        *[pytest.param(b'"attributes":' + deep(n), "depth", id=f"{n} levels") for n in (32, 1000)],
    ],
)
def test_a_value_is_rejected_with_its_reason(rig: Rig, members: bytes, reason: str) -> None:
    for line, lines in with_neighbours(lambda: encode_write(thing(members))):
        assert load(rig, lines).rejected == 1 + (len(lines) == 3)
        version = decode_write(line).version
        [row] = rig.rows("SELECT reason, line, `write` FROM rejected_writes WHERE version = %s", version)
        assert reason in row["reason"]
        assert row["line"] == lines.index(line) + 1
        assert row["write"] == line.removesuffix(b"\n").decode(errors="backslashreplace")
        assert rig.rows("SELECT 1 FROM things WHERE version = %s", version) == []


@pytest.mark.parametrize(
    "members",
    [
        rb'"label":"\ud800"',
        rb'"label":"\ude00x"',
        rb'"label":"\ud800\u0041"',
        rb'"attributes":{"a":"\udfff"}',
        b'"label":"\x00"',
        b'"label":"\x01"',
        rb'"label":"\x41"',
        b'"ratio":NaN',
        b'"ratio":-Infinity',
        b'"attributes":{"a":Infinity}',
        b'"count":+1',
        b'"count":01',
        b'"label":"x",',
        b'"label":x',
        pytest.param(b'"attributes":' + deep(100_000), id="100000 levels"),
        pytest.param(b'"other":' + deep(100_000), id="100000 levels in an unknown field"),
    ],
)
def test_invalid_json_makes_the_batch_unreadable(rig: Rig, members: bytes) -> None:
    for _, lines in with_neighbours(lambda: encode_write(thing(members))):
        assert_unreadable(rig, lines)
