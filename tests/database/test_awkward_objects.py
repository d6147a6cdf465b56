"""Unusual objects: one that is not GZIP, or has garbage within, is unreadable and leaves nothing."""

import gzip
import random

import pytest

from tests.database.awkward import assert_content_unreadable, assert_unreadable, bad_line, good_line
from tests.database.rig import Rig

MANY = 10 << 20
RUBBISH = random.Random(1).randbytes(1 << 16)


@pytest.fixture(scope="module")
def zipped() -> bytes:
    """A batch whose text is read in several blocks."""
    return gzip.compress(b"".join(good_line() for _ in range(3000)), 1, mtime=0)


def changed(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :]


@pytest.mark.parametrize("at", [0, 1, 2, 0.1, 0.5, 0.9, -8, -5, -4, -1])
def test_a_changed_byte(rig: Rig, zipped: bytes, at: float) -> None:
    """In the header, in the text, in its checksum and length."""
    assert_content_unreadable(
        rig, changed(zipped, int(at * len(zipped)) if isinstance(at, float) else at % len(zipped))
    )


def test_an_object_truncated_anywhere(rig: Rig, zipped: bytes) -> None:
    places = [*range(20), *range(20, len(zipped), len(zipped) // 10), *range(len(zipped) - 9, len(zipped))]
    for at in places:
        assert_content_unreadable(rig, zipped[:at])


@pytest.mark.parametrize(
    "content",
    [
        b"\0",
        b"\x1f\x8b",
        RUBBISH,
        b"x" * MANY,
        gzip.compress(good_line()) + b"garbage",
        b"\xef\xbb\xbf" + gzip.compress(good_line()),
    ],
    ids=["a NUL", "half a header", "rubbish", "a long line", "garbage behind", "a BOM before"],
)
def test_what_is_not_gzip(rig: Rig, content: bytes) -> None:
    assert_content_unreadable(rig, content)


@pytest.mark.parametrize(
    "text",
    [RUBBISH, b"x" * MANY, b"[" * MANY, b'"' + b"x" * MANY, b"\0" * MANY],
    ids=["rubbish", "a long line", "brackets", "a text without end", "NULs"],
)
def test_garbage_within_gzip(rig: Rig, text: bytes) -> None:
    assert_unreadable(rig, [text])
    assert_unreadable(rig, [good_line(), bad_line(), text])


def test_members_of_gzip_may_end_within_a_line(rig: Rig) -> None:
    for others in (b"", bad_line()):
        text = others + good_line() + good_line()
        key = rig.objects.put("batches/two", [])
        rig.objects.content[key] = gzip.compress(text[:-200], mtime=0) + gzip.compress(text[-200:], mtime=len(others))
        assert rig.loader().load_batch("bucket", key).applied == 2
