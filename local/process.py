"""Background processes of the local stack: started detached, and identified later by pid and arguments."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import SystemRandom
from typing import cast

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
# Kept so that this process collects the exit status of its children; a later process knows only the pid.
_children: dict[int, subprocess.Popen[bytes]] = {}


class LocalError(Exception):
    """A failure of the local stack. The message is one sentence for the person at the terminal.

    `log` is the file with the details. Its last lines explain the failure, unless the message does (`is_explained`).
    """

    def __init__(self, message: str, log: Path | None = None, *, is_explained: bool = False) -> None:
        super().__init__(message)
        self.log = log
        self.is_explained = is_explained

    def describe_log(self) -> str:
        """What to print before the message: the name of the log, after its last lines if they are needed."""
        if self.log is None:
            return ""
        log = self.log.relative_to(Path.cwd()) if self.log.is_relative_to(Path.cwd()) else self.log
        return f"log: {log}" if self.is_explained else f"{read_tail(self.log)}\nlog: {log}"


def start_process(
    arguments: Sequence[str], log: Path, *, environment: Mapping[str, str] | None = None, directory: Path | None = None
) -> int:
    """Start a process in a session of its own and append its output to `log`; returns its pid."""
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
    """Whether `pid` runs and has every mark as an argument; the system may have given the pid to another process."""
    if not pid or not marks:
        return False
    return set(marks) <= _read_arguments(pid)


def read_processor_seconds(pid: int) -> float:
    """The processor time that a process has taken so far. Raises OSError when it has ended."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_SECOND


def _read_arguments(pid: int) -> set[str]:
    child = _children.get(pid)
    if child is not None:
        # No other process gets the pid of a child before its exit status is collected, and /proc shows no arguments
        # while the child starts.
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
    """Send the signal to our process and wait until it has ended. Do nothing if the process is not ours."""
    if pid is None or not is_running(pid, *marks):
        return
    os.kill(pid, with_signal)
    deadline = time.monotonic() + seconds
    while is_running(pid, *marks):
        if time.monotonic() > deadline:
            raise LocalError(f"Process {pid} did not end within {seconds:.0f} seconds of {with_signal.name}.")
        time.sleep(0.01)


class ProcessorMeter:
    """Measures how busy a process keeps the processors. The process may end and start again with another pid."""

    def __init__(self) -> None:
        # Pid, time and processor seconds of the last measurement.
        self._before: tuple[int, float, float] | None = None

    def measure_percent(self, pid: int, processors: float) -> float | None:
        """Return the share of so many processors since the last measurement, at most 100%.

        The first measurement of a process has no result. Raises OSError if there is no such process.
        """
        now, used = time.monotonic(), read_processor_seconds(pid)
        before, self._before = self._before, (pid, now, used)
        if before is None or before[0] != pid:
            return None
        return min(100.0, 100 * (used - before[2]) / max(now - before[1], 0.001) / processors)


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
    """A free port below the range that the system uses for outgoing connections, so that a server can listen on it
    again after a restart."""
    for port in SystemRandom().sample(range(15_000, 30_000), 200):
        if is_port_free(port):
            return port
    raise LocalError("There is no free port between 15000 and 30000.")


def read_tail(log: Path, lines: int = 15) -> str:
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
