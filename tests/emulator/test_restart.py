"""`make up` restarts an emulator that was started by other code, and its data stay."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from local.stack import services
from local.stack.folder import StackFolder, StackState
from local.stack.services import EdgeProcess, EmulatorProcess


@pytest.fixture
def process(tmp_path: Path) -> Iterator[EmulatorProcess]:
    process = EmulatorProcess(StackFolder(tmp_path))
    process.start()
    yield process
    process.stop()


def test_an_emulator_is_stopped_only_when_its_code_has_changed(
    process: EmulatorProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, queue = process.pid, "kept"
    process.client("sqs").create_queue(QueueName=queue)
    assert not process.stop_outdated()
    assert process.pid == first
    monkeypatch.setattr(services, "fingerprint_code", lambda *_names: "changed")
    assert process.stop_outdated()
    assert process.pid is None
    assert not process.stop_outdated()
    process.start()
    assert process.pid not in {None, first}
    assert process.client("sqs").get_queue_url(QueueName=queue)["QueueUrl"]
    assert not process.stop_outdated()


def test_an_edge_is_stopped_only_when_its_code_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = StackFolder(tmp_path)
    stopped: list[EdgeProcess] = []
    edge = EdgeProcess(folder, EmulatorProcess(folder))
    monkeypatch.setattr(edge, "stop", lambda: stopped.append(edge))
    folder.write_state(StackState(edge_code=services.fingerprint_code("edge")))
    edge.stop_outdated()
    assert not stopped
    folder.write_state(StackState(edge_code="older"))
    edge.stop_outdated()
    assert stopped == [edge]


def test_the_fingerprint_covers_each_module_and_the_version_of_the_emulator(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "REPOSITORY", tmp_path)
    module = tmp_path / "local" / "emulator" / "inner" / "patch.py"
    module.parent.mkdir(parents=True)
    module.write_text("A = 1")
    first = services.fingerprint_code("emulator", "ministack")
    assert services.fingerprint_code("emulator", "ministack") == first
    module.write_text("A = 2")
    second = services.fingerprint_code("emulator", "ministack")
    monkeypatch.setattr("importlib.metadata.version", lambda _package: "0")
    assert len({first, second, services.fingerprint_code("emulator", "ministack")}) == 3


def test_a_state_that_other_code_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"emulator_port": 7, "from_another_version": true}')
    assert StackFolder(tmp_path).read_state().emulator_port == 7
