"""The command, run on a stack in miniature that the emulator has."""

import os
from collections.abc import Iterator
from typing import Any, Protocol

import pytest

from ops import progress
from ops.cli import run_command_line
from ops.commands import rejected_writes as rejects
from tests.emulator.harness import Emulator, start_emulator
from tests.ops.command_output import CommandOutput
from tests.ops.stub_stack import STACK_NAME, StubStack


class Sluice(Protocol):
    def __call__(self, *words: str) -> CommandOutput: ...


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    started = start_emulator(tmp_path_factory.mktemp("emulator"))
    yield started
    started.stop()


@pytest.fixture(scope="session")
def deployed(emulator: Emulator, tmp_path_factory: pytest.TempPathFactory) -> StubStack:
    return StubStack(emulator, tmp_path_factory.mktemp("answers"))


@pytest.fixture
def miniature(deployed: StubStack) -> StubStack:
    """The stack in miniature, with nothing in it."""
    deployed.reset()
    return deployed


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits a second before looking again."""
    monkeypatch.setattr(progress, "POLL_INTERVAL_SECONDS", 0.05)
    monkeypatch.setattr(rejects, "POLL_INTERVAL_SECONDS", 0.05)


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> pytest.MonkeyPatch:
    """A shell without credentials, region or a local stack."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("SLUICE_LOCAL", str(tmp_path))
    return monkeypatch


@pytest.fixture
def said(surroundings: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Sluice:
    """Run the command as it stands in that shell."""

    def run(*words: str) -> CommandOutput:
        capsys.readouterr()
        code = run_command_line(words)
        return CommandOutput(code, *capsys.readouterr())

    return run


@pytest.fixture
def sluice(emulator: Emulator, surroundings: pytest.MonkeyPatch, said: Sluice) -> Sluice:
    """Run the command on the stack in miniature, as an operator with credentials and a region."""
    for name, value in {
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        surroundings.setenv(name, value)
    return lambda *words: said("--stack-name", STACK_NAME, *words)
