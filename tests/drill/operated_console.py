"""`sluice console` of the local stack, as an operator starts it."""

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import IO

from local.stack import Stack
from tests.stack.operator import ROOT, build_environment

_ADDRESS = re.compile(r"(http://127\.0\.0\.1:\d+)/#token=(\S+)")


@contextmanager
def run_console(stack: Stack) -> Iterator[tuple[str, str]]:
    """Run the console on a free port. Yields its address and the token."""
    process = subprocess.Popen(
        [ROOT / "sluice", "console", "--port", "0", "--no-browser"],
        cwd="/",
        env=build_environment(stack),
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr
    addresses: SimpleQueue[tuple[str, str]] = SimpleQueue()
    threading.Thread(target=_read_addresses, args=(process.stderr, addresses), daemon=True).start()
    try:
        yield addresses.get(timeout=30)
    finally:
        process.terminate()
        process.wait(30)


def _read_addresses(lines: IO[str], addresses: SimpleQueue[tuple[str, str]]) -> None:
    for line in lines:
        if match := _ADDRESS.search(line):
            addresses.put((match[1], match[2]))
