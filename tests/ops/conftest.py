"""Run the command on a stub stack, which the emulator deploys."""

import os
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from ops import progress
from ops.cli import run_command_line
from ops.commands import rejected_writes
from testkit.emulator_harness import Emulator, start_emulator
from tests.ops.command_output import CommandOutput
from tests.ops.console_client import ConsoleClient, serve_stub_console
from tests.ops.stub_stack import STACK_NAME, StubStack


class Sluice(Protocol):
    def __call__(self, *words: str) -> CommandOutput: ...


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def deployed_stub(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> StubStack:
    return StubStack(emulator, tmp_path_factory.mktemp("responses"))


@pytest.fixture
def stub_stack(deployed_stub: StubStack) -> StubStack:
    """The stub stack, reset: everything is healthy, nothing runs and nothing is stored."""
    deployed_stub.reset()
    return deployed_stub


@pytest.fixture(autouse=True)
def fast_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Poll often, so that no test waits for a second."""
    monkeypatch.setattr(progress, "POLL_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(rejected_writes, "POLL_INTERVAL_SECONDS", 0.05)


@pytest.fixture
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> pytest.MonkeyPatch:
    """A shell without credentials, region or a local stack."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path))
    return monkeypatch


def build_operator_environment(emulator: Emulator) -> dict[str, str]:
    """The environment of an operator with credentials and a region."""
    return {
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


@pytest.fixture(scope="module")
def shared_console(emulator: Emulator, deployed_stub: StubStack) -> Iterator[ConsoleClient]:
    """A console for tests of a module that leave it as it is. The environment is changed for as long.

    No longer than a module: a test that sets back `time.monotonic` lets the server's loop sleep for hours.
    """
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**build_operator_environment(emulator), "SLUICE_LOCAL": "/nowhere"}.items():
            environment.setenv(name, value)
        deployed_stub.reset()
        with serve_stub_console() as client:
            yield client


@pytest.fixture
def console(sluice: Sluice, stub_stack: StubStack) -> Iterator[ConsoleClient]:
    with serve_stub_console() as client:
        yield client


@pytest.fixture
def bare_sluice(clean_environment: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sluice:
    """Run the command in the clean environment."""

    def run(*words: str) -> CommandOutput:
        capsys.readouterr()
        exit_code = run_command_line(words)
        return CommandOutput(exit_code, *capsys.readouterr())

    return run


@pytest.fixture
def sluice(emulator: Emulator, clean_environment: pytest.MonkeyPatch, bare_sluice: Sluice) -> Sluice:
    """Run the command on the stub stack, as an operator with credentials and a region."""
    for name, value in build_operator_environment(emulator).items():
        clean_environment.setenv(name, value)
    return lambda *words: bare_sluice("--stack-name", STACK_NAME, *words)
