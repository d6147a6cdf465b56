"""Background processes of the local stack: started detached, found again by pid, and never confused with others."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from typing import cast

# Kept so that the exit status of a child of this very process is collected; a later process knows only the pid.
_children: dict[int, subprocess.Popen[bytes]] = {}


class LocalError(Exception):
    """Something of the local stack did not work. The message is one sentence for the person at the terminal;
    `log` names the file whose last lines say more."""

    def __init__(self, message: str, log: Path | None = None) -> None:
        super().__init__(message)
        self.log = log


def start_process(
    arguments: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None, directory: Path | None = None
) -> int:
    """Start a process of its own session, its output appended to `log`; returns its pid."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        child = subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=directory,
            start_new_session=True,
        )
    _children[child.pid] = child
    return child.pid


def is_running(pid: int | None, *marks: str) -> bool:
    """Whether `pid` is alive and every mark is one of its arguments: a pid may have been given to somebody else."""
    if not pid or not marks:
        return False
    return set(marks) <= _arguments(pid)


def _arguments(pid: int) -> set[str]:
    child = _children.get(pid)
    if child is not None:
        # A child's pid is nobody else's until its exit is collected, and /proc shows nothing of it while it starts.
        if child.poll() is None:
            return set(cast("Sequence[str]", child.args))
        del _children[pid]
    try:
        return set(Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0"))
    except (FileNotFoundError, ProcessLookupError):
        return set()


def stop_process(
    pid: int | None, *marks: str, with_signal: signal.Signals = signal.SIGTERM, seconds: float = 60
) -> None:
    """Send the signal to our process and wait until it is gone; one that is not ours is left alone."""
    if pid is None or not is_running(pid, *marks):
        return
    os.kill(pid, with_signal)
    deadline = time.monotonic() + seconds
    while is_running(pid, *marks):
        if time.monotonic() > deadline:
            raise LocalError(f"Process {pid} did not end within {seconds:.0f} seconds of {with_signal.name}.")
        time.sleep(0.01)


def read_pid(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (FileNotFoundError, ValueError):
        return None


def is_port_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def find_free_port() -> int:
    """A free port below the range that the system gives to outgoing connections, so that it is still free when a
    server comes back to it after having been stopped."""
    for port in SystemRandom().sample(range(15_000, 30_000), 200):
        if is_port_free(port):
            return port
    raise LocalError("No free port was found between 15000 and 30000.")


def read_tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
