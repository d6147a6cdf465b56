"""The text of a row: LOAD DATA reads what was written, whichever engine rendered it."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice.load.fast import fast_rows
from sluice.load.row_format import NULL, SYSTEM_COLUMNS, has_json_escapes, replace_json_escapes
from sluice.load.strict import strict_rows
from sluice.load.strict.strict_rows import create_line_decoders
from sluice.model.record import Write, encode_write
from tests.database.things import THINGS, delete, put

Field = str | float | None

_ESCAPED = {"0": "\0", "b": "\b", "n": "\n", "r": "\r", "t": "\t", "Z": "\x1a"}
_NASTY = st.sampled_from(
    ["\\", '"', ",", "]", "[", "\n", "\r", "\t", "\0", "\b", "\f", "\x1a", "\x7f", "u", "N", "é", "😀"]
)
_TEXTS = st.text(_NASTY | st.characters(exclude_categories=["Cs"]), max_size=12) | st.sampled_from(
    ["NULL", "\\N", "\\u0041", "\\", "\\\\f", "]\n["]
)
_NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)


def read(text: bytes) -> list[Field]:
    """Parse fields as LOAD DATA does: ended by a comma, possibly in double quotes, escaped by a backslash."""
    fields: list[Field] = []
    rest = text.decode()
    assert rest.startswith("[")
    rest = rest[1:] + "\n"
    while rest:
        value, quoted, at = "", rest.startswith('"'), 0
        at += quoted
        while not (rest[at:].startswith(('",', '"]\n') if quoted else (",", "]\n"))):
            escaped = rest[at] == "\\"
            at += escaped
            value += _ESCAPED.get(rest[at], rest[at]) if escaped else rest[at]
            at += 1
        at += quoted
        fields.append(value if quoted else None if value == "NULL" else float(value))
        rest = rest[at + 1 :].removeprefix("\n") if rest[at] == "]" else rest[at + 1 :]
    return fields


def sent(values: list[Any]) -> bytes:
    text = msgspec.json.encode([NULL if value is None else value for value in values])
    return replace_json_escapes(text) if has_json_escapes(text) else text


def test_the_parser_reads_what_the_manual_says() -> None:
    assert read(rb'["a\tb\0\\\"",NULL,"NULL",-1.5e3,"","]"]') == ['a\tb\0\\"', None, "NULL", -1500.0, "", "]"]


@given(st.lists(_TEXTS | _NUMBERS | st.none(), min_size=1, max_size=6))
def test_a_row_is_read_as_it_was_written(values: list[Any]) -> None:
    assert read(sent(values)) == [float(value) if isinstance(value, int) else value for value in values]


@given(_TEXTS)
def test_escapes_are_only_replaced_where_only_json_knows_them(value: str) -> None:
    text = sent([value])
    assert b"\\f" not in text.replace(b"\\\\", b"")
    assert b"\\u" not in text.replace(b"\\\\", b"")
    assert replace_json_escapes(text) == text
    # A row must not have bytes that look like its end.
    assert not {0, 10, 13} & set(text)


@pytest.mark.parametrize("value", [0, 1, 8, 12, 31, 34, 92, 127, 128, 0x7FF, 0x800, 0xFFFF])
def test_every_escape_by_number(value: int) -> None:
    assert read(replace_json_escapes(b'["a\\u%04x\\\\u0041","b"]' % value)) == [f"a{chr(value)}\\u0041", "b"]


_JSON = st.recursive(
    _TEXTS | st.integers() | st.none(), lambda inner: st.dictionaries(_TEXTS, inner, max_size=2), max_leaves=4
)
_THING = st.fixed_dictionaries(
    {"label": _TEXTS},
    optional={
        "story": _TEXTS,
        "count": st.integers(-(2**63), 2**63 - 1),
        "ratio": st.floats(allow_nan=False, allow_infinity=False),
        "done": st.booleans(),
        "price": st.sampled_from(["0.125", "-999999999.999"]),
        "day": st.dates().map(str),
        "moment": st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"),
        "tags": st.lists(_TEXTS, max_size=2),
        "attributes": st.dictionaries(_TEXTS, _JSON, max_size=2),
        "note": st.none() | _TEXTS,
        "maybe": st.none() | st.booleans(),
        "number": st.none() | st.integers(-(2**63), 2**63 - 1),
    },
)


def rendered(write: Write, *, ascii_only: bool) -> tuple[list[Field], list[Field]]:
    """The fields of a write as each engine renders them: the fast one, the strict one."""
    line = encode_write(write)
    if ascii_only:
        # Each character beyond ASCII as an escape, those beyond 16 bits as two.
        line = json.dumps(json.loads(line)).encode()
    plain: fast_rows.RowsByKey = {}
    decoded = msgspec.json.decode(line, type=fast_rows.create_line_class(THINGS))
    fast_rows.create_fast_renderer(THINGS)([decoded], plain, has_json_escapes(line))
    [text] = plain.values()
    return read(text), read(
        strict_rows.create_strict_renderer(THINGS)(create_line_decoders([THINGS]).exact.decode(line))
    )


@settings(deadline=None)
@given(_THING, st.booleans())
def test_both_renderers_agree(data: dict[str, Any], ascii_only: bool) -> None:
    write = put({**data, "label": data["label"][:40], "note": (data.get("note") or "")[:20]})
    plain, strict = rendered(write, ascii_only=ascii_only)
    assert plain == strict
    item = msgspec.json.decode(write.data)
    names = [column.name for column in THINGS.columns]
    fields = dict(zip(names, plain[len(SYSTEM_COLUMNS) :], strict=True))
    assert (fields["label"], fields["story"], fields["note"]) == (item["label"], item["story"], item["note"])
    assert msgspec.json.decode(str(fields["attributes"])) == item["attributes"]
    assert plain[:3] == [write.version, write.owner, write.id]


def test_both_renderers_agree_about_a_delete() -> None:
    write = delete("01a20f25-a3f4-7a8b-b1d9-0123456789ab")
    plain, strict = rendered(write, ascii_only=False)
    assert plain == strict
    assert plain[4:] == [1.0, *[None] * len(THINGS.columns)]
