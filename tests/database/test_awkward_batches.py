"""Unusual lines: an unreadable batch leaves nothing; in any other batch every line is accounted for."""

import msgspec
import pytest

from sluice.model.record import MAX_RECORD_BYTES, encode_write
from tests.database.awkward import assert_unreadable, bad_line, good_line, load, thing, with_neighbours
from tests.database.rig import Rig

MANY = 10 << 20


@pytest.mark.parametrize("line", [b"1", b"[]", b"null", b'"x"', b"{}", b"true", b"{", b"\xff", b"\xef\xbb\xbf{}"])
def test_a_line_that_is_not_an_object(rig: Rig, line: bytes) -> None:
    for _, lines in with_neighbours(lambda: line + b"\n"):
        assert_unreadable(rig, lines)


def test_a_byte_order_mark_at_the_start(rig: Rig) -> None:
    assert_unreadable(rig, [b"\xef\xbb\xbf" + good_line(), good_line()])


@pytest.mark.parametrize("nothing", [b"", b"\n", b"\r\n\n"])
def test_compressed_empty_text_is_a_batch_without_writes(rig: Rig, nothing: bytes) -> None:
    assert load(rig, [nothing]).status == "loaded"


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \t\n", b"\n\n\n"])
def test_blank_lines_are_counted_as_lines_and_not_as_writes(rig: Rig, blank: bytes) -> None:
    assert load(rig, [blank, good_line(), blank, blank, good_line(), blank]).applied == 2
    wrong = bad_line()
    assert load(rig, [blank, good_line(), blank, wrong, good_line(), blank]).rejected == 1
    [row] = rig.rows("SELECT line, `write` FROM rejected_writes")
    assert row["line"] == 2 + 2 * blank.count(b"\n")
    assert row["write"].encode() == wrong.strip()


@pytest.mark.parametrize("ends", [(b"\r\n", b"\r\n"), (b"\n", b""), (b"\r\n", b"")])
def test_line_ends(rig: Rig, ends: tuple[bytes, bytes]) -> None:
    for others in ([], [bad_line()]):
        *lines, last = (line.strip() for line in [*others, good_line(), good_line()])
        lines = [line + ends[0] for line in lines]
        assert load(rig, [*lines, last + ends[1]]).applied == 2


@pytest.mark.parametrize("others", [[], [bad_line]])
def test_two_writes_on_a_line_are_unreadable(rig: Rig, others: list[object]) -> None:
    assert_unreadable(rig, [*(bad_line() for _ in others), good_line().strip() + good_line(), good_line()])
    assert_unreadable(rig, [good_line().replace(b',"data"', b',\n"data"'), *(bad_line() for _ in others)])


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"x" * MANY, id="x", marks=pytest.mark.slow),
        pytest.param(b'\\"' * (MANY // 2), id="quotes", marks=pytest.mark.slow),
        pytest.param("😀".encode() * (MANY // 4), id="😀"),
    ],
)
def test_a_line_of_10_mb(rig: Rig, text: bytes) -> None:
    for _, lines in with_neighbours(lambda: encode_write(thing(b'"story":"%b"' % text))):
        assert load(rig, lines).applied == 2 - (len(lines) == 1)
        [row] = rig.rows(
            "SELECT SHA2(story, 256) = SHA2(%s, 256) AS same FROM things WHERE story != ''",
            msgspec.json.decode(b'"%b"' % text),
        )
        assert row["same"]
        rig.rows("DELETE FROM things")
        rig.connection.commit()


@pytest.mark.parametrize("member", [b'"attributes":["%b"]', b'"label":"%b"'])
def test_quotes_of_10_mb_in_a_json_column_and_in_a_write_to_reject(rig: Rig, member: bytes) -> None:
    """As texts in a row and in a statement they need twice the space."""
    line = encode_write(thing(member % (b'\\"' * (MANY // 2))))
    outcome = load(rig, [good_line(), line])
    assert outcome.rejected == (b"label" in member)
    [stored] = rig.rows("SELECT SUM(LENGTH(attributes)) AS n FROM things")
    [rejected] = rig.rows("SELECT SUM(LENGTH(`write`)) AS n FROM rejected_writes")
    assert (stored["n"] > MANY, rejected["n"]) == (
        outcome.rejected == 0,
        MAX_RECORD_BYTES if outcome.rejected else None,
    )
