"""`sluice status --watch`: blocks and lines of JSON without a terminal, one picture on a terminal."""

import fcntl
import json
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from ops.console.messages import Alarm, Calls, Problem, Rates, Snapshot
from ops.console.watch import build_text, format_snapshot
from tests.ops.conftest import Sluice
from tests.ops.stub_stack import STACK_NAME, StubStack, build_verified_plan

ALARM = Alarm("LoadErrorsAlarm", "ALARM", "2026-11-29T10:00:00Z", "", "", "")
RATES = Rates(requests=12.0, writes_accepted=10.5, writes_applied=9.0, reads=2.0, errors=0.0)
CALLS = Calls(total=3, per_hour=1200.4, dollars_per_hour=0.0123)


@contextmanager
def start_watch(*words: str, stdout: int = subprocess.PIPE) -> Iterator["subprocess.Popen[bytes]"]:
    command = [sys.executable, "-m", "ops", "--stack-name", STACK_NAME, "status", "--watch", "0.1", *words]
    with subprocess.Popen(
        # A shell lets the jobs in its background ignore SIGINT, and so would the command.
        ["env", "--default-signal=INT", *command],
        stdin=subprocess.DEVNULL,  # the width of the terminal is that of the first stream that is one
        stdout=stdout,
        stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if name != "COLUMNS"},
    ) as process:
        yield process
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
        assert process.stderr is not None
        assert process.stderr.read() == b""


def test_a_block_follows_another_without_a_terminal(sluice: Sluice, stub_stack: StubStack) -> None:
    stub_stack.set_response("Plan", verify=build_verified_plan("batches/a"))
    with start_watch() as process:
        assert process.stdout is not None
        blocks = [list(iter(process.stdout.readline, b"\n")) for _ in range(2)]
    for block in blocks:
        names = [line.split(b"  ")[0].strip() for line in block]
        assert names[:7] == [b"at", b"rates", b"alarms", b"stack", b"primary", b"replica-1", b"replica-2"]
        assert any(line.startswith(b"pending       1 batch") for line in block)
        assert b"\x1b" not in b"".join(block)


def test_each_picture_is_a_line_of_json(sluice: Sluice, stub_stack: StubStack) -> None:
    with start_watch("--json") as process:
        assert process.stdout is not None
        snapshots = [json.loads(process.stdout.readline()) for _ in range(2)]
    assert [snapshot["status"]["stack"] for snapshot in snapshots] == [STACK_NAME] * 2
    assert snapshots[1]["calls"]["total"] > snapshots[0]["calls"]["total"]


def test_a_narrow_terminal_without_colours_has_one_picture(
    sluice: Sluice, stub_stack: StubStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    stub_stack.set_response("HealthCheck", summary="")
    terminal, other_end = pty.openpty()
    fcntl.ioctl(other_end, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 40, 0, 0))
    shown = b""
    with start_watch(stdout=other_end):
        while shown.count(b"rates") < 2:
            shown += os.read(terminal, 4096)
    os.close(other_end)
    # The cursor goes up and the lines are replaced; none is wider than the terminal; none has a colour.
    assert b"\x1b[1A" in shown
    assert not re.search(rb"\x1b\[[0-9;]*3[0-9]m", shown)
    lines = re.sub(rb"\x1b\[[0-9;?]*[A-Za-z]", b"", shown.split(b"\x1b[1A")[0]).replace(b"\r", b"").split(b"\n")
    assert max(len(line.decode()) for line in lines) <= 40


def test_what_needs_attention_is_last_and_marked() -> None:
    problem = Problem("CloudWatch\x1b[2J does not answer.", "Wait.")
    snapshot = Snapshot("2026-11-29T10:00:00Z", None, RATES, None, None, [ALARM], CALLS, [problem])
    assert format_snapshot(snapshot) == [
        "at            2026-11-29T10:00:00Z",
        "rates         12 requests/s, 10.5 writes accepted/s, 9 applied/s, 2 reads/s, 0 errors/s",
        "alarms        1 of 1 in alarm",
        "1,200 calls of AWS per hour, 0.012 dollars",
        "! LoadErrorsAlarm since 2026-11-29T10:00:00Z",
        "! CloudWatch\\x1b[2J does not answer. Wait.",
    ]
    assert [span.style for span in build_text(snapshot).spans] == ["bold red"] * 2


def test_a_wrong_interval_and_a_missing_stack_are_one_sentence(sluice: Sluice, stub_stack: StubStack) -> None:
    assert sluice("status", "--watch", "-1").usage_error() == "--watch must be from 0 to 3600 seconds."
    error = sluice("status", "--watch", "--stack-name", "nope").usage_error()
    assert error == "There is no stack nope in us-east-1. Check --stack-name and --region."
