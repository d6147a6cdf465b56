"""How many replicas the servers of a folder have: the file `replicas` in it says it, so that every command agrees."""

import shutil
from pathlib import Path

from local.process import read_pid, stop_process

DEFAULT_REPLICAS, MAX_REPLICAS = 2, 5
_FILE = "replicas"


def read_replica_count(root: Path) -> int:
    """The saved number; without one, the default."""
    try:
        return int((root / _FILE).read_text())
    except FileNotFoundError:
        return DEFAULT_REPLICAS


def set_replica_count(root: Path, count: int) -> None:
    """Save the number, and delete the replicas above it, which have no data of their own. Call it under a lock."""
    for number in range(count + 1, MAX_REPLICAS + 1):
        _stop_server(root / f"replica-{number}")
        shutil.rmtree(root / f"replica-{number}", ignore_errors=True)
    root.mkdir(parents=True, exist_ok=True, mode=0o700)
    (root / _FILE).write_text(f"{count}\n")


def adopt_former_replica(root: Path) -> None:
    """Give the folder of the only replica, as an older checkout made it, the name of the first one."""
    former, first = root / "replica", root / "replica-1"
    if (former / "data").exists() and not first.exists():
        # It would have the same server id as the first one, and the primary serves one of two with the same id.
        _stop_server(former)
        former.rename(first)


def _stop_server(directory: Path) -> None:
    stop_process(read_pid(directory / "pid"), f"--datadir={directory / 'data'}")
