"""Faults of the database servers and of the read cache. As in `alarm_faults`, each yields an act.

Where the servers go on, the act is to report the metrics of all instances.
"""

import os
import signal
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from typing import Any

import pymysql

from local.cache import CacheServer
from local.database.server import DatabaseServer
from ops.template import read_template
from tests.drill.alarm_site import AlarmSite
from tests.drill.alarm_traffic import Act, canaries, crowd, read, write
from tests.drill.instances import CONCURRENCY, get_instances

_SPIN = "local n=0 for i=1,3e7 do n=n+i end return 1"


@contextmanager
def killed_primary(site: AlarmSite) -> Iterator[Act]:
    """The primary is down, and clients write on."""
    site.stack.servers.primary.kill()
    try:
        yield lambda: write(site)
    finally:
        site.stack.servers.start()


@contextmanager
def killed_cache(site: AlarmSite) -> Iterator[Act]:
    site.stack.cache.kill()
    try:
        yield lambda: read(site)
    finally:
        site.stack.cache.start()


@contextmanager
def frozen_replicas(site: AlarmSite) -> Iterator[Act]:
    """No replica answers any more, though their connections are open."""
    pids = [replica.pid for replica in site.stack.servers.replicas if replica.pid]
    assert pids
    with crowd(partial(read, site)) as act:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield act
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)


@contextmanager
def killed_replica(site: AlarmSite) -> Iterator[Act]:
    """One of the replicas is down, and clients read on."""
    with crowd(partial(read, site)) as act:
        site.stack.servers.replica.kill()
        try:
            yield act
        finally:
            site.stack.servers.start()


@contextmanager
def killed_databases(site: AlarmSite) -> Iterator[Act]:
    """No server is there: writes are accepted, reads fail, and no write becomes readable."""
    for server in site.stack.servers.all:
        server.kill()
    try:
        with canaries(site) as act:
            yield act
    finally:
        site.stack.servers.start()


@contextmanager
def stopped_replication(site: AlarmSite) -> Iterator[Act]:
    """The thread of the replica that applies changes stops, as after an error."""
    instances = get_instances(site)
    for replica in site.stack.servers.replicas:
        _execute(replica, "STOP SLAVE SQL_THREAD")
    try:
        yield instances.report
    finally:
        for replica in site.stack.servers.replicas:
            _execute(replica, "START SLAVE SQL_THREAD")


@contextmanager
def full_disks(site: AlarmSite) -> Iterator[Act]:
    """A file of 4 GiB is in the data directory of each server; it takes no space here."""
    instances = get_instances(site)
    files = [server.data / "grown.bin" for server in instances.servers]
    for file in files:
        with file.open("wb") as opened:
            opened.truncate(4 * 1024**3)
    try:
        yield instances.report
    finally:
        for file in files:
            file.unlink()


@contextmanager
def busy_processors(site: AlarmSite) -> Iterator[Act]:
    """Sessions of each server compute hashes without end."""
    instances = get_instances(site)
    with ExitStack() as stack:
        for server in instances.servers:
            stack.enter_context(_sessions(server, 8, "SELECT BENCHMARK(2000000000, SHA2('busy', 512))"))
        yield instances.report


@contextmanager
def used_memory(site: AlarmSite) -> Iterator[Act]:
    """A session of each server keeps 240 MiB in variables."""
    instances = get_instances(site)
    with ExitStack() as stack:
        for server in instances.servers:
            connection = stack.enter_context(server.connect_as_root())
            with connection.cursor() as cursor:
                for number in range(24):
                    cursor.execute(f"SET @kept{number} = REPEAT('x', 10 * 1024 * 1024)")
        yield instances.report


@contextmanager
def leaked_connections(site: AlarmSite) -> Iterator[Act]:
    """Somebody opens 25 connections more to each server than the functions may have, and leaves them open."""
    instances = get_instances(site)
    defaults = read_template()["Parameters"]
    number = 25 + sum(int(defaults[name]["Default"]) for name in CONCURRENCY)
    with ExitStack() as stack:
        for server in instances.servers:
            for _ in range(number):
                stack.enter_context(server.connect_as_root())
        yield instances.report


@contextmanager
def busy_cache(site: AlarmSite) -> Iterator[Act]:
    """Clients of the cache run scripts that compute without end."""
    instances, ended = get_instances(site), threading.Event()
    threads = [threading.Thread(target=_spin, args=(site.stack.cache, ended), daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        yield instances.report
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _spin(cache: CacheServer, ended: threading.Event) -> None:
    name, password = cache.credentials
    tls = ssl.create_default_context(cafile=str(cache.certificates / "ca.pem"))
    with tls.wrap_socket(socket.create_connection((cache.host, cache.port), 60), server_hostname="localhost") as client:
        _send(client, "AUTH", name, password)
        while not ended.is_set():
            _send(client, "EVAL", _SPIN, "0")


def _send(client: ssl.SSLSocket, *words: str) -> None:
    encoded = "".join(f"${len(word)}\r\n{word}\r\n" for word in words)
    client.sendall(f"*{len(words)}\r\n{encoded}".encode())
    client.recv(256)


@contextmanager
def _sessions(server: DatabaseServer, number: int, statement: str) -> Iterator[None]:
    """Run a statement in so many sessions, which are killed at the end."""
    connections: Sequence[Any] = [server.connect_as_root() for _ in range(number)]

    def run(connection: Any) -> None:
        with suppress(pymysql.Error), connection.cursor() as cursor:
            cursor.execute(statement)

    threads = [threading.Thread(target=run, args=(connection,), daemon=True) for connection in connections]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for connection in connections:
            _execute(server, f"KILL CONNECTION {connection.thread_id()}")
        for thread in threads:
            thread.join()


def _execute(server: DatabaseServer, statement: str) -> None:
    with server.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute(statement)
