"""Run the SAM CLI with its output on standard error and in a file."""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.errors import UsageError
from ops.output import print_error
from ops.tools import find_tool, get_search_path


@dataclass(frozen=True)
class SamResult:
    """The exit code and the whole output, standard error included."""

    exit_code: int
    output: str


def run_sam(words: Sequence[str], folder: Path, log: Path) -> SamResult:
    """Run `sam` in a folder, and append its output to `log`; its questions go to the terminal. Raises UsageError."""
    sam = find_tool("sam")
    if sam is None:
        raise UsageError("The SAM CLI is not installed.", "Install it, or run `make setup`.")
    log.parent.mkdir(parents=True, exist_ok=True)
    # A pipe has no width, so the SAM CLI would take 80 columns for its tables.
    environment = {
        **os.environ,
        "PATH": get_search_path(),
        "COLUMNS": str(shutil.get_terminal_size().columns),
        "PYTHONUNBUFFERED": "1",
    }
    output = bytearray()
    with (
        log.open("ab") as file,
        subprocess.Popen(  # noqa: S603 - the SAM CLI
            [sam, *words], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        ) as process,
    ):
        # Not by line: a question has no end of line.
        while chunk := process.stdout.read1():  # type: ignore[union-attr] # it is a pipe
            print_error(chunk.decode(errors="replace"), end="")
            file.write(chunk)
            output += chunk
    if output and not output.endswith(b"\n"):
        print_error("")
    return SamResult(process.returncode, output.decode(errors="replace"))
