from pathlib import Path

from local.emulator.firehose.configuration import BufferingHints
from local.emulator.firehose.spool import DELIVERY, Record, Spool
from local.emulator.firehose.stream import Buffer


def create_records(tmp_path: Path, *payloads: bytes) -> list[Record]:
    return Spool(tmp_path).append_records(payloads, (DELIVERY,))


def test_a_buffer_is_due_when_its_oldest_record_is(tmp_path: Path) -> None:
    buffer, hints = Buffer(), BufferingHints(100, 10)
    old, new = create_records(tmp_path, b"old", b"new")
    buffer.add_records([old], 0)
    buffer.add_records([new], 9)
    assert buffer.take_due_groups(hints, 9.9, everything=False) == []
    assert buffer.take_due_groups(hints, 10, everything=False) == [[old, new]]
    assert not buffer


def test_records_beyond_the_size_wait_for_their_own_interval(tmp_path: Path) -> None:
    buffer, hints = Buffer(), BufferingHints(4, 10)
    a, b, c, d, e = create_records(tmp_path, b"aa", b"bb", b"ccc", b"dd", b"e")
    buffer.add_records([a, b, c], 0)
    buffer.add_records([d, e], 5)
    assert buffer.take_due_groups(hints, 6, everything=False) == [[a, b], [c, d]]
    assert buffer.take_due_groups(hints, 14, everything=False) == []
    assert buffer.take_due_groups(hints, 15, everything=False) == [[e]]


def test_a_flush_takes_all_records_also_empty_ones(tmp_path: Path) -> None:
    buffer = Buffer()
    a, b = create_records(tmp_path, b"a", b"")
    buffer.add_records([a, b], 0)
    assert buffer.take_due_groups(BufferingHints(1, 900), 0, everything=False) == [[a]]
    assert buffer.take_due_groups(BufferingHints(1, 900), 0, everything=True) == [[b]]
