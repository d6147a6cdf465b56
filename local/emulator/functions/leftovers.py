"""The environments of functions that are still there when their emulator was killed.

An idle one ends with its emulator, because its input ends. One in an invocation goes on until the handler returns.
"""

import contextlib
import os
import signal
from pathlib import Path

from local.emulator.functions import bootstrap


def end_leftovers(scratch: Path) -> int:
    """End the environments whose code is in this folder, and return their number."""
    ended = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            arguments = (process / "cmdline").read_text(errors="replace").split("\0")
        except OSError:
            continue
        if bootstrap.__file__ in arguments and any(text.startswith(f"{scratch}/") for text in arguments):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(process.name), signal.SIGKILL)
                ended += 1
    return ended
