"""Batches with unusual content, and what must be true of every load, whatever happens to the batch."""

from collections.abc import Callable, Iterable, Iterator

import msgspec
import pytest

from sluice.errors import UnreadableBatch
from sluice.load.load_types import LoadResult
from sluice.model.record import Write, encode_write
from tests.database.rig import Rig
from tests.database.things import put


def good_line() -> bytes:
    return encode_write(put({"label": "good"}))


def bad_line() -> bytes:
    """A write that can be read, but that the database refuses."""
    return encode_write(thing(b'"label":"%b"' % (b"x" * 41)))


def thing(members: bytes) -> Write:
    """A put whose data is these members of a JSON object, and a label if they have none."""
    write = put({"label": "awkward"})
    label = b"" if members.startswith(b'"label"') else b'"label":"awkward",'
    write.data = msgspec.Raw(b"{" + label + members + b"}")
    return write


def with_neighbours(line: Callable[[], bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Batches with an unusual line: alone, with good lines, and with a bad line for the strict engine."""
    for before, after in (
        ((), ()),
        ((), (good_line,)),
        ((good_line,), ()),
        ((), (good_line, bad_line)),
        ((bad_line, good_line), ()),
    ):
        text = line()
        yield text, [*(make() for make in before), text, *(make() for make in after)]


def load(rig: Rig, lines: Iterable[bytes]) -> LoadResult:
    """Load lines, and assert that the result and the database account for every one."""
    lines = list(lines)
    outcome = rig.load(*lines)
    counts = {"applied": outcome.applied, "stale": outcome.stale, "rejected": outcome.rejected}
    assert sum(counts.values()) == sum(1 for line in lines if line.strip())
    assert rig.rows("SELECT applied, stale, rejected FROM loaded_batches WHERE object_key = %s", outcome.key) == [
        counts
    ]
    rejected_rows = rig.rows("SELECT 1 FROM rejected_writes WHERE object_key = %s", outcome.key)
    assert len(rejected_rows) == outcome.rejected
    return outcome


def assert_unreadable(rig: Rig, lines: Iterable[bytes]) -> None:
    """Load lines that are not a batch, and assert that nothing of them is stored."""
    key = rig.objects.put("batches/unreadable", lines)
    assert_content_unreadable(rig, rig.objects.content[key])


def assert_content_unreadable(rig: Rig, content: bytes) -> None:
    rig.objects.content["batches/unreadable"] = content
    with pytest.raises(UnreadableBatch):
        rig.loader().load_batch("bucket", "batches/unreadable")
    everything = ("things", "codes", "loaded_batches", "rejected_writes")
    assert [rig.rows(f"SELECT COUNT(*) AS n FROM {table}") for table in everything] == [[{"n": 0}]] * 4
