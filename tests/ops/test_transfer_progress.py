"""The progress of an import fits on terminals of any width, and is lines elsewhere."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios

import pytest

from local.stack.folder import REPOSITORY

PROGRAM = """
import time
from ops.data import transfer_progress
transfer_progress.LINE_INTERVAL_SECONDS = 0.1
with transfer_progress.show_transfer("import") as show:
    for step in range(1, 4):
        show(step * 25, 100, f"{step * 100_000:,} rows, {step:,} rejected")
        time.sleep(0.15)
"""


def run_in_terminal(columns: int) -> list[str]:
    """What stood on the last line of a terminal, one time after another."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns)}
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=REPOSITORY, env=environment, stderr=theirs, check=True)
    os.close(theirs)
    output = b""
    try:
        while piece := os.read(ours, 65536):
            output += piece
    except OSError:  # the end of a terminal
        pass
    os.close(ours)
    return [re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line) for line in output.decode().split("\r")]


@pytest.mark.parametrize("columns", [32, 60, 80, 200])
def test_a_terminal_of_any_width_shows_how_far_it_is(columns: int) -> None:
    lines = run_in_terminal(columns)
    assert any("75%" in line and "300,000 rows, 3 rejected" in line for line in lines), lines
    assert max(map(len, lines)) <= columns
    assert any("remaining" in line for line in lines) is (columns >= 80)


def test_without_a_terminal_there_are_lines() -> None:
    process = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert process.stdout == ""
    assert "import: 300,000 rows, 3 rejected (75%)" in process.stderr.splitlines()
