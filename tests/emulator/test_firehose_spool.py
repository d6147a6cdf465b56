import signal
from collections.abc import Callable
from pathlib import Path

from local.emulator.firehose.spool import BACKUP, DELIVERY, Spool
from testkit.emulator_harness import Emulator, wait_until
from tests.emulator.firehose_streams import DeliveryStream, create_stream


def list_spool_files(emulator: Emulator) -> list[Path]:
    return list((emulator.state / "services" / "firehose").rglob("*.jsonl"))


def test_neither_a_kill_nor_a_stop_loses_an_accepted_record(start: Callable[[], Emulator]) -> None:
    first = start()
    slow, quick = create_stream(first, "slow", seconds=900), create_stream(first, "quick", seconds=1)
    slow.put_records(b"before the stop")
    assert first.stop() == 0
    second = start()
    assert DeliveryStream(second, slow.name).wait_for_object()[1] == b"before the stop"
    DeliveryStream(second, quick.name).put_records(b"one ", b"two")
    DeliveryStream(second, slow.name).put_records(b"before the kill")
    second.process.send_signal(signal.SIGKILL)
    second.process.wait()
    third = start()
    assert DeliveryStream(third, quick.name).wait_for_object()[1] == b"one two"
    wait_until(lambda: len(list_spool_files(third)) == 1)
    assert third.stop() == 0
    assert list_spool_files(third) == []


def test_delivered_records_leave_the_spool(emulator: Emulator) -> None:
    stream = create_stream(emulator, "spooled", seconds=1)
    stream.put_records(b"x")
    assert any(stream.name in str(path) for path in list_spool_files(emulator))
    stream.wait_for_object()
    wait_until(lambda: not any(stream.name in str(path) for path in list_spool_files(emulator)))


def test_after_a_restart_only_the_unfinished_route_remains(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    first, second = spool.append_records([b"a", b"b"], (DELIVERY, BACKUP))
    spool.close_segment()
    first.segment.mark_delivered(DELIVERY)
    assert [routes for _, routes in Spool(tmp_path).reload()] == [(DELIVERY, BACKUP)] * 2
    second.segment.mark_delivered(DELIVERY)
    reloaded = list(Spool(tmp_path).reload())
    assert [(record.id, record.arrived_at, record.data) for record, _ in reloaded] == [
        (record.id, record.arrived_at, record.data) for record in (first, second)
    ]
    assert [routes for _, routes in reloaded] == [(BACKUP,)] * 2
    for record, _ in reloaded:
        record.segment.mark_delivered(BACKUP)
    assert list(tmp_path.iterdir()) == []


def test_an_incomplete_line_is_no_record(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.append_records([b"a"], (DELIVERY,))
    (path,) = tmp_path.iterdir()
    with path.open("ab") as file:
        file.write(b'{"id":"1","at":1,"data":"')
    assert [record.data for record, _ in Spool(tmp_path).reload()] == [b"a"]
