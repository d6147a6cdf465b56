import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from local.emulator.firehose.spool import BACKUP, DELIVERY, Spool
from tests.emulator.firehose_rig import Rig, place, rig
from tests.emulator.harness import Emulator, start_emulator, wait_until


def spooled(emulator: Emulator) -> list[Path]:
    return list((emulator.state / "services" / "firehose").rglob("*.jsonl"))


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Emulator]]:
    """Starts emulators on the same state, one after the other; the last one is ended with the test."""
    started: list[Emulator] = []

    def again() -> Emulator:
        started.append(start_emulator(tmp_path))
        return started[-1]

    yield again
    for emulator in started:
        if emulator.process.poll() is None:
            emulator.stop()


def test_neither_a_kill_nor_a_stop_loses_an_accepted_record(start: Callable[[], Emulator]) -> None:
    first = start()
    slow, quick = rig(first, "slow", seconds=900), rig(first, "quick", seconds=1)
    slow.put(b"before the stop")
    assert first.stop() == 0
    second = start()
    assert Rig(second, slow.name).one()[1] == b"before the stop"
    Rig(second, quick.name).put(b"one ", b"two")
    Rig(second, slow.name).put(b"before the kill")
    unsaved = rig(second, "unsaved", seconds=900)
    unsaved.put(b"waits for its stream")
    second.process.send_signal(signal.SIGKILL)
    second.process.wait()
    third = start()
    assert Rig(third, quick.name).one()[1] == b"one two"
    wait_until(lambda: len(spooled(third)) == 2)
    third.client("s3").create_bucket(Bucket=unsaved.name)
    third.client("firehose").create_delivery_stream(
        DeliveryStreamName=unsaved.name, ExtendedS3DestinationConfiguration=place(unsaved.name, 0)
    )
    assert Rig(third, unsaved.name).one()[1] == b"waits for its stream"
    assert third.stop() == 0
    assert spooled(third) == []


def test_what_is_delivered_leaves_the_spool(emulator: Emulator) -> None:
    stream = rig(emulator, "spooled", seconds=1)
    stream.put(b"x")
    assert any(stream.name in str(path) for path in spooled(emulator))
    stream.one()
    wait_until(lambda: not any(stream.name in str(path) for path in spooled(emulator)))


def test_only_the_way_that_is_not_done_is_gone_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    first, second = spool.append([b"a", b"b"], (DELIVERY, BACKUP))
    spool.roll()
    first.segment.settle(DELIVERY)
    assert [ways for _, ways in Spool(tmp_path).reload()] == [(DELIVERY, BACKUP)] * 2
    second.segment.settle(DELIVERY)
    found = list(Spool(tmp_path).reload())
    assert [(record.id, record.arrived, record.data) for record, _ in found] == [
        (record.id, record.arrived, record.data) for record in (first, second)
    ]
    assert [ways for _, ways in found] == [(BACKUP,)] * 2
    for record, _ in found:
        record.segment.settle(BACKUP)
    assert list(tmp_path.iterdir()) == []


def test_a_line_cut_short_is_no_record(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append([b"a"], (DELIVERY,))
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'{"id":"1","at":1,"data":"')
    assert [record.data for record, _ in Spool(tmp_path).reload()] == [b"a"]
