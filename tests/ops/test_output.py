"""How the command ends when a pipe is closed, a disk is full, or a text contains control characters."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ops.output import escape_control_characters
from testkit.emulator_harness import Emulator
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack

ROOT = Path(__file__).resolve().parents[2]
Started = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def started(emulator: Emulator, stub_stack: StubStack, clean_environment: Any) -> Started:
    """Start the command on the stub stack in a process of its own, with pipes for its output."""

    def start(*words: str, stdout: Any = subprocess.PIPE, **variables: str) -> "subprocess.Popen[str]":
        environment = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"},
            "PYTHONPATH": str(ROOT),
            "AWS_ENDPOINT_URL": emulator.url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            **variables,
        }
        pipes: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": stdout, "stderr": subprocess.PIPE}
        words = (sys.executable, "-m", "ops", "--stack-name", STACK_NAME, *words)
        return subprocess.Popen(words, env=environment, cwd="/", text=True, **pipes)

    return start


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_closed_pipe_is_no_error_and_does_not_change_the_exit_code(
    started: Started, stub_stack: StubStack, more: tuple[str, ...]
) -> None:
    assert stub_stack.responses["HealthCheck"]["primary"]["accepts_writes"]
    process = started("status", *more)
    assert process.stdout
    process.stdout.close()
    assert (process.wait(60), process.stderr and process.stderr.read()) == (0, "")


@pytest.mark.parametrize("more", ["2>&1 | (exec 0<&-; sleep 3)", "2>&-"])
def test_a_closed_standard_error_does_not_change_the_exit_code(clean_environment: Any, more: str) -> None:
    script = f"{sys.executable} -m ops status {more}; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": ""},
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "")


def test_a_full_disk_is_an_operation_error(started: Started) -> None:
    with Path("/dev/full").open("wb") as full:
        process = started("status", stdout=full)
        assert process.wait(60) == 1
    assert process.stderr
    assert (
        process.stderr.read()
        == "sluice: The command ran, but its result could not be printed: No space left on device.\n"
    )


def test_characters_that_the_encoding_lacks_are_escaped(started: Started, stub_stack: StubStack) -> None:
    write = {"version": "V", "collection": "things", "id": "é", "reason": "r", "object_key": "k", "line": 1}
    stub_stack.set_response("RejectedWrites", list={"total": 1, "rejected_writes": [write], "after": None})
    out, err = started("rejected-writes", "list", PYTHONIOENCODING="ascii").communicate(timeout=60)
    assert (out.splitlines()[1], err) == ("V  things/\\xe9", "")


def test_control_characters_in_a_clients_text_are_escaped(sluice: Sluice, stub_stack: StubStack) -> None:
    reason = "bad: \x1b[2J\nsluice: all is well"
    write = {"version": "V", "collection": "things", "id": "7", "reason": reason, "object_key": "k", "line": 1}
    stub_stack.set_response("RejectedWrites", list={"total": 1, "rejected_writes": [write], "after": None})
    assert sluice("rejected-writes", "list").stdout.splitlines()[2] == "    bad: \\x1b[2J\\nsluice: all is well"
    assert escape_control_characters("…é") == "…é"


def test_an_error_of_several_lines_is_printed_on_one_line(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_workflow_failure("Replay", "Odd", "first\n  second\x07")
    assert "first second\\x07" in sluice("replay", "--wait").operation_error()


def test_ctrl_c_during_the_import_of_the_sdk(started: Started, tmp_path: Path) -> None:
    (tmp_path / "boto3.py").write_text("raise KeyboardInterrupt")
    process = started("status", PYTHONPATH=f"{tmp_path}:{ROOT}")
    assert process.communicate(timeout=60) == ("", "sluice: Interrupted.\n")
    assert process.returncode == 130
