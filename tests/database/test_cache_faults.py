"""An unavailable, slow or emptied cache, and loaders that die: reads and loads continue, and show nothing outdated."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from pymysql.connections import Connection

from sluice.aws.secrets import Credentials
from sluice.cache import valkey_client
from sluice.cache.epoch import parse_epoch
from sluice.errors import AwsError, CacheUnavailable
from sluice.load.loader import Loader
from sluice.model.record import Write
from sluice.settings import CacheSettings
from tests.database.cache_rig import CacheRig
from tests.database.conftest import Connect
from tests.database.rebuild_rig import Rebuilding, excluding
from tests.database.things import CODES, delete, put


@pytest.fixture(autouse=True)
def short_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey_client, "BACKOFF_SECONDS", 0.2)


@pytest.fixture
def item(cache_rig: CacheRig) -> str:
    """The path of an item that the cache has."""
    return f"things/{cache_rig.load_and_cache_item().id}"


def put_second(path: str) -> Any:
    return put({"label": "second"}, path.removeprefix("things/"))


def get_label(cache_rig: CacheRig, path: str) -> Any:
    return cache_rig.get(path).body["data"]["label"]


@contextmanager
def suspended_cache(cache_rig: CacheRig) -> Iterator[None]:
    """Suspend the server: it accepts connections and does not reply."""
    pid = cache_rig.cache.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_without_a_cache_reads_and_loads_continue(cache_rig: CacheRig, item: str) -> None:
    cache_rig.cache.stop()
    state, answer = cache_rig.get_with_cache_state(item)
    assert (state, answer.body["data"]["label"]) == ("unavailable", "first")
    assert cache_rig.load_batch(put_second(item)).applied == 1
    cache_rig.wait_for_replicas()
    assert get_label(cache_rig, item) == "second"
    cache_rig.cache.start()
    time.sleep(0.25)
    # The first load after that uses it again.
    cache_rig.load_batch(put({"label": "other"}))
    cache_rig.wait_for_replicas()
    cache_rig.cache_reader._epoch_expires_at = 0
    cache_rig.get(item)
    assert cache_rig.get_with_cache_state(item)[0] == "hit"
    assert get_label(cache_rig, item) == "second"


def test_an_unavailable_cache_is_not_contacted_during_the_backoff(cache_rig: CacheRig, item: str) -> None:
    cache_rig.cache.stop()
    cache_rig.get(item)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("socket.create_connection", lambda *_: pytest.fail("contacted"))
        assert cache_rig.get_with_cache_state(item)[0] == "unavailable"
        time.sleep(0.25)
        with pytest.raises(pytest.fail.Exception):
            cache_rig.client.send_commands(("MGET", "a"))


def test_a_slow_cache_delays_reads_and_loads_only_until_the_timeout(cache_rig: CacheRig, item: str) -> None:
    cache_rig.client._timeout_seconds = 0.25
    with suspended_cache(cache_rig):
        started = time.monotonic()
        state, answer = cache_rig.get_with_cache_state(item)
        assert (state, answer.status) == ("unavailable", 200)
        assert time.monotonic() - started < 1
        started = time.monotonic()
        assert cache_rig.load_batch(put_second(item)).applied == 1
        assert time.monotonic() - started < 3
    cache_rig.wait_for_replicas()
    # The reader trusts its epoch for at most one second.
    time.sleep(1)
    assert get_label(cache_rig, item) == "second"
    assert get_label(cache_rig, item) == "second"


def test_a_load_that_cannot_invalidate_starts_a_new_epoch(cache_rig: CacheRig, item: str) -> None:
    """The readers reach the cache, the loader does not: they use it for at most one more second."""
    before = cache_rig.select_epoch_row()
    with unreachable_cache_for_loads():
        cache_rig.load_batch(put_second(item))
    cache_rig.wait_for_replicas()
    assert parse_epoch(cache_rig.select_epoch_row()).name != parse_epoch(before).name
    time.sleep(1)
    state, answer = cache_rig.get_with_cache_state(item)
    assert (state, answer.body["data"]["label"]) == ("", "second")
    assert cache_rig.get_with_cache_state(item)[0] == "miss"  # empty until a load announces itself
    cache_rig.load_batch(put({"label": "other"}))
    cache_rig.wait_for_replicas()
    cache_rig.cache_reader._epoch_expires_at = 0
    cache_rig.get(item)
    assert cache_rig.get_with_cache_state(item)[1].body["data"]["label"] == "second"


@contextmanager
def unreachable_cache_for_loads() -> Iterator[None]:
    def fail(*_: Any) -> None:
        raise CacheUnavailable("TimeoutError")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.cache.invalidation.CacheInvalidator._invalidate_items", fail)
        yield


def test_a_cache_that_restarts_empty_is_filled_after_the_next_load(cache_rig: CacheRig, item: str) -> None:
    cache_rig.cache.kill()
    cache_rig.cache.start()
    for _ in range(2):
        assert get_label(cache_rig, item) == "first"
    assert cache_rig.get_with_cache_state(item)[0] == "miss"
    cache_rig.load_batch(put({"label": "other"}))
    cache_rig.wait_for_replicas()
    cache_rig.get(item)
    assert cache_rig.get_with_cache_state(item)[0] == "hit"


def test_a_cache_lost_between_invalidation_and_commit_is_not_filled_with_outdated_items(
    cache_rig: CacheRig, item: str
) -> None:
    with pause_before_commit() as commit, run_in_thread(lambda: cache_rig.load_batch(put_second(item))):
        commit.reached.wait(10)
        cache_rig.cache.kill()
        cache_rig.cache.start()
        assert get_label(cache_rig, item) == "first"  # the load is not committed yet
        with cache_rig.stop_replication():
            commit.may_commit.set()
            assert get_label(cache_rig, item) == "first"
    cache_rig.wait_for_replicas()
    assert get_label(cache_rig, item) == "second"
    assert get_label(cache_rig, item) == "second"


class _PausedCommit:
    def __init__(self) -> None:
        self.reached, self.may_commit = threading.Event(), threading.Event()


@contextmanager
def pause_before_commit() -> Iterator[_PausedCommit]:
    paused, commit = _PausedCommit(), Connection.commit

    def wait(connection: Any) -> None:
        paused.reached.set()
        paused.may_commit.wait(20)
        commit(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "commit", wait)
        yield paused


@contextmanager
def run_in_thread(work: Any) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_killed_loader_leaves_nothing_outdated_in_the_cache(cache_rig: CacheRig, item: str, moment: str) -> None:
    """SIGKILL ends it right before or right after its commit. After the commit it has nothing left to do."""
    write = put_second(item)
    cache_rig.rig.objects.put("batches/killed", [write])
    loader = cache_rig.create_loader()
    process = multiprocessing.get_context("fork").Process(target=_load_and_die, args=(loader, moment))
    process.start()
    process.join(20)
    assert process.exitcode == -signal.SIGKILL
    cache_rig.wait_for_replicas()
    applied = moment == "after the commit"
    for _ in range(3):
        assert get_label(cache_rig, item) == ("second" if applied else "first")
    if not applied:
        assert loader.load_batch("bucket", "batches/killed").applied == 1
        cache_rig.wait_for_replicas()
    cache_rig.get(item)
    assert cache_rig.get_with_cache_state(item)[1].body["data"]["label"] == "second"


def _load_and_die(loader: Any, moment: str) -> None:
    commit = Connection.commit

    def die(connection: Any) -> None:
        if moment == "after the commit":
            commit(connection)
        os.kill(os.getpid(), signal.SIGKILL)

    Connection.commit = die  # type: ignore[assignment,method-assign]
    loader.load_batch("bucket", "batches/killed")


def test_loads_that_race_invalidate_what_either_touches(cache_rig: CacheRig) -> None:
    """Loads of late writes run concurrently and commit in any order."""
    codes = [f"C{number}" for number in range(8)]
    early = [[put({"code": code, "text": f"{turn}"}, code, resource=CODES) for code in codes] for turn in range(12)]
    cache_rig.load_batch(put({"label": "raises the high water mark"}))

    def load(batches: list[list[Write]], loader: Loader) -> None:
        for batch in batches:
            cache_rig.load_batch(*batch, loader=loader)

    threads = [threading.Thread(target=load, args=(early[at::2], cache_rig.create_loader())) for at in (0, 1)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for code in codes:
            cache_rig.get(f"codes/{code}")
    for thread in threads:
        thread.join()
    cache_rig.wait_for_replicas()
    for _ in range(2):
        assert [cache_rig.get(f"codes/{code}").body["data"]["text"] for code in codes] == ["11"] * 8
    assert cache_rig.get_with_cache_state("codes/C0")[0] == "hit"


def test_a_database_restored_from_a_backup_does_not_read_later_entries(cache_rig: CacheRig, item: str) -> None:
    """The cache has seen loads that the database does not contain: the next load starts a new epoch."""
    before = cache_rig.select_epoch_row()
    for _ in range(3):
        cache_rig.load_batch(put({"label": "lost"}))
    cache_rig.rig.connection.commit()  # MariaDB 11.8 changes no row that is newer than the transaction's snapshot
    with cache_rig.rig.connection.cursor() as cursor:
        cursor.execute("UPDATE marks SET version = %s WHERE name = 'cache'", (before,))
    cache_rig.rig.connection.commit()
    cache_rig.load_batch(put_second(item))
    cache_rig.wait_for_replicas()
    assert parse_epoch(cache_rig.select_epoch_row()).name != parse_epoch(before).name
    time.sleep(1)
    assert get_label(cache_rig, item) == "second"


def test_a_load_without_a_cache_deletes_the_epoch(cache_rig: CacheRig, item: str) -> None:
    """As after ReadCache was switched off: when it is on again, the cache still has its entries."""
    cache_rig.rig.load(put_second(item))
    cache_rig.wait_for_replicas()
    assert cache_rig.select_epoch_row() == ""
    time.sleep(1)
    for _ in range(2):
        state, answer = cache_rig.get_with_cache_state(item)
        assert (state, answer.body["data"]["label"]) == ("", "second")
    cache_rig.load_batch(delete(item.removeprefix("things/")))
    cache_rig.wait_for_replicas()
    assert cache_rig.get(item).status == 404


def test_a_rejected_password_is_read_from_the_secret_once_more(cache_rig: CacheRig, item: str) -> None:
    name, password = cache_rig.cache.credentials
    cache_rig.client.close()
    cache_rig.client._user = Credentials(name, "earlier")
    state, _ = cache_rig.get_with_cache_state(item)
    assert state == "unavailable"
    time.sleep(0.25)
    assert cache_rig.get_with_cache_state(item)[0] == "hit"
    assert password not in repr(cache_rig.client._user)


def test_an_unreadable_secret_makes_the_cache_unavailable(
    cache_rig: CacheRig, item: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_arn: str) -> Credentials:
        raise AwsError("AccessDeniedException")

    monkeypatch.setattr("sluice.cache.valkey_client.read_credentials", unreadable)
    cache_rig.client.close()
    cache_rig.client._user = None
    state, answer = cache_rig.get_with_cache_state(item)
    assert (state, answer.status) == ("unavailable", 200)
    assert cache_rig.load_batch(put_second(item)).applied == 1


def test_a_lost_connection_is_reopened(cache_rig: CacheRig, item: str) -> None:
    connection = cache_rig.client._socket
    assert connection
    connection.shutdown(2)
    assert cache_rig.get_with_cache_state(item)[0] == "hit"


def test_a_server_without_a_trusted_certificate_is_not_used(cache_rig: CacheRig, item: str) -> None:
    cache_rig.client.close()
    cache_rig.client._settings = CacheSettings("127.0.0.2", cache_rig.cache.port, "cache", 600)
    assert cache_rig.get_with_cache_state(item)[0] == "unavailable"


def test_the_user_has_no_other_permissions(cache_rig: CacheRig, item: str) -> None:
    for command in (("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("MONITOR",)):
        with pytest.raises(CacheUnavailable, match="NOPERM"):
            cache_rig.client.send_commands(command)
        cache_rig.client._backoff_until = 0


def test_after_a_swap_no_earlier_entry_is_read(cache_rig: CacheRig, item: str, connect: Connect) -> None:
    """A rebuild without the second write lowers versions. The cache is unavailable meanwhile."""
    write = put_second(item)
    cache_rig.load_batch(write)
    cache_rig.wait_for_replicas()
    cache_rig.get(item)
    assert cache_rig.get_with_cache_state(item)[1].body["data"]["label"] == "second"
    rebuilding = Rebuilding(cache_rig.rig, connect(autocommit=True))
    try:
        rebuilding.prepare(excluding(exclude={"versions": [write.version]}))
        rebuilding.fill(sorted(cache_rig.rig.objects.content))
        cache_rig.rig.connection.rollback()
        cache_rig.rig.database.drop_connection()
        cache_rig.cache.stop()
        rebuilding.swap()
        cache_rig.cache.start()
        cache_rig.wait_for_replicas()
        time.sleep(1)
        for _ in range(2):
            assert get_label(cache_rig, item) == "first"
        later = put({"label": "third"}, write.id)
        cache_rig.load_batch(later)
        cache_rig.wait_for_replicas()
        for _ in range(2):
            assert get_label(cache_rig, item) == "third"
        assert cache_rig.get_with_cache_state(item)[0] == "hit"
    finally:
        cache_rig.close()
        rebuilding.clean()
