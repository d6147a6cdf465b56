"""Which lines the fast engine accepts, and the parts of a batch."""

import gzip
import io
import random
from collections.abc import Callable, Iterable

import msgspec
import pytest

from sluice.errors import LoadModeRequired, SchemaOutdated, UnreadableBatch
from sluice.load.batch_reader import BatchObject
from sluice.load.fast import fast_reader
from sluice.load.fast.fast_reader import FastPart, FastReader
from sluice.load.row_format import extract_version
from sluice.model.record import Write, encode_write
from sluice.model.resource import Resource
from tests.database.things import CODES, THINGS, delete, put

READER = FastReader({"things": THINGS, "codes": CODES})


def batch(lines: Iterable[bytes]) -> BatchObject:
    return BatchObject("batches/a", "etag", io.BytesIO(gzip.compress(b"".join(lines), 1)))


def parts(*writes: Write | bytes) -> list[FastPart]:
    return list(
        READER.read_parts(batch(write if isinstance(write, bytes) else encode_write(write) for write in writes))
    )


def code(text: str, name: str = "A") -> Write:
    return put({"code": name, "text": text}, name, resource=CODES)


def with_data(data: bytes) -> bytes:
    write = put({"label": "x"})
    write.data = msgspec.Raw(data)
    return encode_write(write)


def spelled(old: bytes, new: bytes) -> bytes:
    line = encode_write(put({"label": "x"}))
    assert old in line
    return line.replace(old, new, 1)


def put_as(item_id: str, resource: Resource = THINGS) -> bytes:
    return encode_write(put({"code": "x"} if resource is CODES else {"label": "x"}, item_id, resource=resource))


def test_a_part_names_the_requests_of_its_writes() -> None:
    """Records from before there were request ids have none."""
    first, second, older = put({"label": "x"}), put({"label": "y"}), put({"label": "z"})
    first.request_id, second.request_id = "first", "second"
    [part] = parts(first, second, second, older)
    assert part.request_ids == {"first", "second", ""}


@pytest.mark.parametrize("request_id", ["a b", "é", "x" * 65])
def test_an_invalid_request_id_is_left_to_the_strict_engine(request_id: str) -> None:
    write = put({"label": "x"})
    write.request_id = request_id
    with pytest.raises(LoadModeRequired):
        parts(write)


@pytest.mark.parametrize(
    "line",
    [
        with_data(b'{"label":"x"}'),
        with_data(b'{"label":"x","part":null,"count":-1,"ratio":5,"tags":["\xc3\xa9"]}'),
        with_data(rb'{"label":"\ud83d\ude00\u0000\f"}'),
        with_data(b'{"label":"%b"}' % (b"x" * 41)),
        encode_write(delete("01a20f25-a3f4-7a8b-b1d9-0123456789ab")),
        spelled(b'{"version"', b'{ "version"'),
        spelled(b"\n", b"\r\n"),
        spelled(b"\n", b""),
    ],
)
def test_a_line_for_the_fast_engine(line: bytes) -> None:
    [part] = parts(line)
    assert [len(rows) for rows in part.rows.values()] == [1]


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"1\n",
        b"{}\n",
        b"not json\n",
        b"\xef\xbb\xbf" + encode_write(code("x")),
        encode_write(code("x")).strip() + encode_write(code("y")),
        spelled(b',"data"', b',\n"data"'),
        spelled(b'"things"', b'"strangers"'),
        spelled(b'"put"', b'"patch"'),
        spelled(b'"put"', b'"delete"'),
        spelled(b'"schema":1', b'"schema":0'),
        spelled(b'"schema":1', b'"schema":1,"more":1'),
        spelled(b'"owner":"', rb'"owner":"\n'),
        spelled(b'"owner":"', rb'"owner":"\u000a'),
        spelled(b'"owner":"', b'"owner":" '),
        spelled(b'"owner":"', '"owner":"é'.encode()),
        spelled(b'-owner"', b'-owner "'),
        spelled(b'"id":"', b'"id":" '),
        spelled(b'"id":"', '"id":"é'.encode()),
        spelled(b'"version":"0', b'"version":"8'),
        spelled(b'"version":"0', b'"version":"00'),
        spelled(b'"version":"0', b'"version":"u'),
        spelled(b'"id":"0', b'"id":"0-'),
        put_as("01A20F25-A3F4-7A8B-B1D9-0123456789AB"),
        put_as("01a20f25a3f47a8bb1d90123456789ab"),
        put_as("01a20f25a-3f4-7a8b-b1d9-0123456789ab"),
        put_as(".", CODES),
        put_as("..", CODES),
        spelled(b'"accepted_at":"2', b'"accepted_at":"'),
        spelled(b'Z","schema"', b'+00:00","schema"'),
        *(
            with_data(data)
            for data in (
                b"null",
                b"[]",
                b"{}",
                b'{"label":null}',
                b'{"label":5}',
                b'{"label":"x","other":1}',
                b'{"label":"x","count":null}',
                b'{"label":"x","day":"2024-1-5"}',
                b'{"label":"x","day":"20240105"}',
                b'{"label":"x","moment":"2024-01-05T10:20:30"}',
                b'{"label":"x","moment":"2024-1-5T10:20:30.00Z"}',
                b'{"label":"x","seen":"2024-01-05 10:20:30Z"}',
                b'{"label":"x","seen":"2024-01-05T10:20:30+00:00"}',
                b'{"label":"x","seen":"\xc3\xa924-01-05T10:20:30Z"}',
                b'{"label":"x","count":1.5}',
                b'{"label":"x","count":"5"}',
                b'{"label":"x","ratio":1e400}',
                b'{"label":"x","ratio":NaN}',
                b'{"label":"x","done":1}',
                b'{"label":"x","tags":null}',
                b'{"label":"x","tags":["\xff"]}',
                b'{"label":"\xff"}',
                rb'{"label":"\ud800"}',
                b'{"label":"x","tags":%b%b}' % (b"[" * 100_000, b"]" * 100_000),
            )
        ),
    ],
    # Without the time before it, so that a test has the same name in every run.
    ids=lambda line: repr((line.partition(b'"schema"')[2].partition(b'{"version')[0] or line[:10])[:60]),
)
def test_a_line_that_requires_strict_mode(line: bytes) -> None:
    for lines in ([line], [line, encode_write(code("y"))], [encode_write(code("y")), line]):
        with pytest.raises(LoadModeRequired, match=r"^STRICT$"):
            parts(*lines)


def test_a_newer_revision_and_no_gzip_have_their_own_errors() -> None:
    with pytest.raises(SchemaOutdated):
        parts(spelled(b'"schema":1', b'"schema":2'))
    with pytest.raises(UnreadableBatch):
        list(READER.read_parts(BatchObject("a", "b", io.BytesIO(b"not gzip"))))


def test_an_empty_batch_has_no_parts() -> None:
    assert parts() == []


@pytest.mark.parametrize("shuffled", [lambda writes: None, list.reverse, random.Random(1).shuffle])
@pytest.mark.parametrize("block", [300, 1 << 19])
def test_a_part_has_the_latest_write_to_each_item(
    monkeypatch: pytest.MonkeyPatch, shuffled: Callable[[list[Write]], None], block: int
) -> None:
    monkeypatch.setattr("sluice.load.batch_reader.BLOCK_BYTES", block)
    owners = [put({"label": str(n)}, "01a20f25-a3f4-7a8b-b1d9-0123456789ab", owner) for n in range(3) for owner in "ab"]
    codes = [code(str(n), name) for n in range(3) for name in "Aab"]
    writes = [*owners, *codes, delete("a", resource=CODES)]
    expected = {(write.collection, write.owner, write.id): write.version for write in writes}
    first, last = writes[0], writes[-1]
    shuffled(writes)
    [part] = parts(*writes)
    read_versions = {
        (collection, *key.split("\n")): extract_version(text)
        for collection, rows in part.rows.items()
        for key, text in rows.items()
    }
    assert read_versions == expected
    assert part.superseded == len(writes) - len(expected)
    assert (part.newest_version, part.oldest_version) == (last.version, first.version)
    assert part.oldest_accepted_at == first.accepted_at


def test_a_batch_with_one_collection_among_several() -> None:
    [part] = parts(code("x"), code("y"))
    assert list(part.rows) == ["codes"]


def test_parts_grow_and_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sluice.load.batch_reader.BLOCK_BYTES", 1000)
    monkeypatch.setattr(fast_reader, "FIRST_PART_BYTES", 5_000)
    monkeypatch.setattr(fast_reader, "MAX_PART_BYTES", 40_000)
    lines = [encode_write(code(str(n), str(n))) for n in range(1000)]
    read_versions = parts(*lines)
    sizes = [len(part.rows["codes"]) * len(lines[0]) for part in read_versions]
    assert sum(len(part.rows["codes"]) for part in read_versions) == 1000
    for size, wanted in zip(sizes[:-1], (5_000, 15_000, *[40_000] * 100), strict=False):
        assert wanted * 0.9 <= size <= wanted + 2_000
    assert len(sizes) > 4
    assert sizes[-1] <= 42_000
    # Parts do not know the writes of each other.
    assert [part.oldest_version for part in read_versions[1:]] > [part.newest_version for part in read_versions[:-1]]


@pytest.mark.parametrize("moments", [{}, {"seen": "2024-01-05T10:20:30Z"}, {"seen": "2024-01-05T10:20:30.5Z"}])
def test_a_field_without_a_value_needs_no_strict_mode(moments: dict[str, str]) -> None:
    lines = [put({"label": "x"}), put({"label": "x", **moments}), delete("01a20f25-a3f4-7a8b-b1d9-0123456789ab")]
    assert sum(len(part.rows["things"]) for part in parts(*lines)) == 3
