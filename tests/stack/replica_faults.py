"""Faults of one replica, each as a context: the fault begins with it, and is repaired at its end."""

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from local.database import ReplicaServer
from local.stack import Stack

Fault = Callable[[Stack, ReplicaServer], AbstractContextManager[None]]

DELAY_SECONDS = 20
# The first three pages of a table's file describe it; the next ones are its rows.
PAGE_BYTES, FIRST_PAGE = 16 * 1024, 3


@contextmanager
def killed_replica(stack: Stack, replica: ReplicaServer) -> Iterator[None]:
    replica.kill()
    try:
        yield
    finally:
        stack.servers.start()


@contextmanager
def frozen_replica(stack: Stack, replica: ReplicaServer) -> Iterator[None]:
    """It no longer answers, though its connections are open and new ones are accepted by the system."""
    pid = replica.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def delayed_replica(stack: Stack, replica: ReplicaServer) -> Iterator[None]:
    """It applies changes later than the primary by DELAY_SECONDS."""
    _set_delay(replica, DELAY_SECONDS)
    try:
        yield
    finally:
        _set_delay(replica, 0)


def _set_delay(replica: ReplicaServer, seconds: int) -> None:
    execute(replica, "STOP SLAVE", f"CHANGE MASTER TO MASTER_DELAY = {seconds}", "START SLAVE")


@contextmanager
def garbled_table(stack: Stack, replica: ReplicaServer) -> Iterator[None]:
    """The file of a table has other bytes than were written, as after a fault of a disk."""
    replica.stop()
    file = replica.data / "sluice" / "airports.ibd"
    with file.open("r+b") as opened:
        for page in range(FIRST_PAGE, file.stat().st_size // PAGE_BYTES):
            opened.seek(page * PAGE_BYTES + 1000)
            opened.write(os.urandom(4000))
    stack.servers.start()  # with its replication
    try:
        yield
    finally:
        recreate_replica(stack, replica)


@contextmanager
def dropped_table(stack: Stack, replica: ReplicaServer) -> Iterator[None]:
    execute(replica, "SET sql_log_bin = 0", "DROP TABLE sluice.airports")
    try:
        yield
    finally:
        recreate_replica(stack, replica)


def recreate_replica(stack: Stack, replica: ReplicaServer) -> None:
    """Remove its data, and make it from a copy of the primary."""
    replica.kill()
    shutil.rmtree(replica.data)
    stack.servers.start()


def execute(replica: ReplicaServer, *statements: str) -> None:
    with replica.connect_as_root() as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
