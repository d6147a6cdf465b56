from pathlib import Path

from local.emulator.firehose.buffer import Buffer
from local.emulator.firehose.settings import Hints
from local.emulator.firehose.spool import DELIVERY, Record, Spool


def records(tmp_path: Path, *payloads: bytes) -> list[Record]:
    return Spool(tmp_path).append(payloads, (DELIVERY,))


def test_a_buffer_is_due_by_its_oldest_record(tmp_path: Path) -> None:
    buffer, hints = Buffer(), Hints(100, 10)
    old, new = records(tmp_path, b"old", b"new")
    buffer.add([old], 0)
    buffer.add([new], 9)
    assert buffer.take(hints, 9.9, everything=False) == []
    assert buffer.take(hints, 10, everything=False) == [[old, new]]
    assert not buffer


def test_what_is_over_the_size_waits_for_its_own_time(tmp_path: Path) -> None:
    buffer, hints = Buffer(), Hints(4, 10)
    a, b, c, d, e = records(tmp_path, b"aa", b"bb", b"ccc", b"dd", b"e")
    buffer.add([a, b, c], 0)
    buffer.add([d, e], 5)
    assert buffer.take(hints, 6, everything=False) == [[a, b], [c, d]]
    assert buffer.take(hints, 14, everything=False) == []
    assert buffer.take(hints, 15, everything=False) == [[e]]


def test_a_flush_takes_everything_and_empty_records_too(tmp_path: Path) -> None:
    buffer = Buffer()
    a, b = records(tmp_path, b"a", b"")
    buffer.add([a, b], 0)
    assert buffer.take(Hints(1, 900), 0, everything=False) == [[a]]
    assert buffer.take(Hints(1, 900), 0, everything=True) == [[b]]
