"""What becomes of source records: one by one in the transform, joined in the archive."""

import datetime
import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.load.batch_reader import BatchObject, create_replay_opener, read_blocks
from sluice.model.record import NULL_DATA, Write, encode_write, split_joined_records, split_record


def line(item_id: str, collection: str = "things") -> bytes:
    return encode_write(
        Write(
            version="01JD0000000000000000000000",
            collection=collection,
            id=item_id,
            operation="delete",
            owner="",
            accepted_at=datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC),
            schema=1,
            data=NULL_DATA,
        )
    )


A, B, C = (line(name) for name in "ABC")
# What a producer other than ours might put on the stream, with a line's end.
NO_WRITES = [
    *(
        A.replace(text, text[:-1] + b'\\n"')
        for text in (b'"01JD0000000000000000000000"', b'"things"', b'"A"', b'"owner":""')
    ),
    b"hello\n",
    b"\n",
    b'{"version":1}\n',
    b"[" * 2000 + b"\n",
    b"\xff\xfe\n",
    A.replace(b'"things"', b"7"),
]


@given(st.lists(st.lists(st.sampled_from([A, B, C, b"\n", *NO_WRITES])).map(b"".join)))
def test_joined_records_are_the_lines_that_the_transform_made_of_them(records: list[bytes]) -> None:
    each = [line for record in records for line in split_record(record)[0]]
    assert list(split_joined_records(b"".join(records))) == each


@given(st.lists(st.sampled_from([A, B, C, *NO_WRITES])))
def test_every_line_of_a_record_is_a_write_or_counted(lines: list[bytes]) -> None:
    writes, others = split_record(b"".join(lines))
    assert [write + b"\n" for write in writes] == [line for line in lines if line in (A, B, C)]
    assert others == len([line for line in lines if line not in (A, B, C, b"\n")])


@pytest.mark.parametrize(
    ("records", "lines"),
    [
        (A[:-1] + B, [A, B]),
        (A[:-1] + B[:-1] + C[:-1], [A, B, C]),
        (A[:-1] + b'{"no":"write"}' + B, [A, B]),
        (A[:-1] + b"hello" + B, [A]),
        (b'{"broken":' + A, []),  # what it quotes was never accepted as a write
        (b'{"data":' + A[:-1] + b"}\n" + B, [B]),
    ],
)
def test_records_without_a_line_s_end_are_told_apart(records: bytes, lines: list[bytes]) -> None:
    assert [line + b"\n" for line in split_joined_records(records)] == lines


def text_of(content: bytes, *, archived: bool = False, collections: frozenset[str] = frozenset()) -> bytes:
    def open_batch(_bucket: str, key: str) -> BatchObject:
        return BatchObject(key, "e", io.BytesIO(gzip.compress(content)))

    return b"".join(
        read_blocks(create_replay_opener(open_batch, archived=archived, collections=collections)("bucket", "key"))
    )


def test_the_archive_is_read_as_the_transform_would_have_made_it() -> None:
    assert text_of(A + b"hello\n" + B[:-1] + C, archived=True) == A + B + C
    assert text_of(b"hello\n", archived=True) == b""


def test_a_batch_is_read_as_it_is() -> None:
    assert text_of(A + b"hello\n") == A + b"hello\n"


def test_only_the_lines_of_some_collections_are_read_and_those_that_are_none() -> None:
    other = line("X", "others")
    assert text_of(A + other + B, collections=frozenset({"things"})) == A + B
    assert text_of(A + other, archived=True, collections=frozenset({"others"})) == other
    assert text_of(other + b"hello\n", collections=frozenset({"things"})) == b"hello\n"
    assert text_of(A, collections=frozenset({"others"})) == b""
