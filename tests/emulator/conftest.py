"""One emulator for all tests of this folder, and others that a test starts one after the other."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from testkit.emulator_harness import Emulator, start_emulator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    # Variables of a developer's shell, which must not reach a Lambda.
    started = start_emulator(tmp_path_factory.mktemp("emulator"), AWS_PROFILE="somebody", PYTHONPATH="src:.")
    yield started
    if started.process.poll() is None:
        started.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[], Emulator]]:
    """Start emulators on the same state, one after the other. The last one stops at the end of the test."""
    started: list[Emulator] = []

    def start_next() -> Emulator:
        started.append(start_emulator(tmp_path))
        return started[-1]

    yield start_next
    for emulator in started:
        if emulator.process.poll() is None:
            emulator.stop()
