"""Batches with something awkward in them, and what must be true of a load whatever becomes of the batch."""

from collections.abc import Callable, Iterable, Iterator

import msgspec
import pytest

from sluice.errors import UnreadableBatch
from sluice.load.load_types import LoadResult
from sluice.model.record import Write, encode_write
from tests.database.rig import Rig
from tests.database.things import put


def good() -> bytes:
    return encode_write(put({"label": "good"}))


def bad() -> bytes:
    """A write that is read well, but that the database refuses."""
    return encode_write(thing(b'"label":"%b"' % (b"x" * 41)))


def thing(members: bytes) -> Write:
    """A put whose data is these members of a JSON object, and a label if they have none."""
    write = put({"label": "awkward"})
    label = b"" if members.startswith(b'"label"') else b'"label":"awkward",'
    write.data = msgspec.Raw(b"{" + label + members + b"}")
    return write


def in_company(line: Callable[[], bytes]) -> Iterator[tuple[bytes, list[bytes]]]:
    """Batches with an awkward line, made anew for each: read plainly, or with care as a bad one is with it."""
    for before, after in ((), ()), ((), (good,)), ((good,), ()), ((), (good, bad)), ((bad, good), ()):
        one = line()
        yield one, [*(make() for make in before), one, *(make() for make in after)]


def load(rig: Rig, lines: Iterable[bytes]) -> LoadResult:
    """Load lines, and see that every one is accounted for, in the outcome as in the database."""
    lines = list(lines)
    outcome = rig.load(*lines)
    counts = {"applied": outcome.applied, "stale": outcome.stale, "rejected": outcome.rejected}
    assert sum(counts.values()) == sum(1 for line in lines if line.strip())
    assert rig.rows("SELECT applied, stale, rejected FROM loaded_batches WHERE object_key = %s", outcome.key) == [
        counts
    ]
    kept = rig.rows("SELECT 1 FROM rejected_writes WHERE object_key = %s", outcome.key)
    assert len(kept) == outcome.rejected
    return outcome


def is_unreadable(rig: Rig, lines: Iterable[bytes]) -> None:
    """Load lines that are no batch, and see that nothing of them is left."""
    key = rig.objects.put("batches/unreadable", lines)
    content_is_unreadable(rig, rig.objects.content[key])


def content_is_unreadable(rig: Rig, content: bytes) -> None:
    rig.objects.content["batches/unreadable"] = content
    with pytest.raises(UnreadableBatch):
        rig.loader().load_batch("bucket", "batches/unreadable")
    everything = ("things", "codes", "loaded_batches", "rejected_writes")
    assert [rig.rows(f"SELECT COUNT(*) AS n FROM {table}") for table in everything] == [[{"n": 0}]] * 4
