"""One emulator for all tests of this folder."""

from collections.abc import Iterator

import pytest

from testkit.emulator_harness import Emulator, start_emulator


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    # Variables of a developer's shell, which must not reach a Lambda.
    started = start_emulator(tmp_path_factory.mktemp("emulator"), AWS_PROFILE="somebody", PYTHONPATH="src:.")
    yield started
    if started.process.poll() is None:
        started.stop()
