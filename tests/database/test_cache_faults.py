"""A cache that is away, slow or emptied, and loaders that die: reads and loads go on, and nothing old is shown."""

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
from sluice.cache.epoch import parse_epoch as generation_of
from sluice.errors import AwsError, CacheUnavailable
from sluice.load.loader import Loader
from sluice.model.record import Write
from sluice.settings import CacheSettings
from tests.database.caching_rig import Caching
from tests.database.conftest import Connect
from tests.database.rebuilding_rig import Rebuilding, excluding
from tests.database.things import CODES, delete, put


@pytest.fixture(autouse=True)
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey_client, "BACKOFF_SECONDS", 0.2)


@pytest.fixture
def item(cached: Caching) -> str:
    """The path of an item that the cache has."""
    return f"things/{cached.known().id}"


def second(path: str) -> Any:
    return put({"label": "second"}, path.removeprefix("things/"))


def label(cached: Caching, path: str) -> Any:
    return cached.get(path).body["data"]["label"]


@contextmanager
def stopped(cached: Caching) -> Iterator[None]:
    """While the server takes connections and says nothing."""
    pid = cached.cache.pid
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_without_a_cache_everything_goes_on(cached: Caching, item: str) -> None:
    cached.cache.stop()
    state, answer = cached.seen(item)
    assert (state, answer.body["data"]["label"]) == ("unavailable", "first")
    assert cached.load(second(item)).applied == 1
    cached.follow()
    assert label(cached, item) == "second"
    cached.cache.start()
    time.sleep(0.25)
    # The first load after that begins to use it.
    cached.load(put({"label": "other"}))
    cached.follow()
    cached.lookup._epoch_expires_at = 0
    cached.get(item)
    assert cached.seen(item)[0] == "hit"
    assert label(cached, item) == "second"


def test_while_it_is_away_it_is_not_asked_again_and_again(cached: Caching, item: str) -> None:
    cached.cache.stop()
    cached.get(item)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("socket.create_connection", lambda *_: pytest.fail("asked"))
        assert cached.seen(item)[0] == "unavailable"
        time.sleep(0.25)
        with pytest.raises(pytest.fail.Exception):
            cached.client.send_commands(("MGET", "a"))


def test_a_slow_cache_costs_a_read_and_a_load_no_more_than_was_allowed(cached: Caching, item: str) -> None:
    cached.client._timeout_seconds = 0.25
    with stopped(cached):
        began = time.monotonic()
        state, answer = cached.seen(item)
        assert (state, answer.status) == ("unavailable", 200)
        assert time.monotonic() - began < 1
        began = time.monotonic()
        assert cached.load(second(item)).applied == 1
        assert time.monotonic() - began < 3
    cached.follow()
    # The reader goes by what it knew for a second at the most.
    time.sleep(1)
    assert label(cached, item) == "second"
    assert label(cached, item) == "second"


def test_a_load_that_cannot_withdraw_ends_the_generation(cached: Caching, item: str) -> None:
    """Of a cache that readers reach and the loader does not: they go on for a second at the most."""
    before = cached.row()
    with unreachable_for_loads():
        cached.load(second(item))
    cached.follow()
    assert generation_of(cached.row()).name != generation_of(before).name
    time.sleep(1)
    state, answer = cached.seen(item)
    assert (state, answer.body["data"]["label"]) == ("", "second")
    assert cached.seen(item)[0] == "miss"  # closed, until a load opens it
    cached.load(put({"label": "other"}))
    cached.follow()
    cached.lookup._epoch_expires_at = 0
    cached.get(item)
    assert cached.seen(item)[1].body["data"]["label"] == "second"


@contextmanager
def unreachable_for_loads() -> Iterator[None]:
    def away(*_: Any) -> None:
        raise CacheUnavailable("TimeoutError")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sluice.cache.invalidation.CacheInvalidator._invalidate_items", away)
        yield


def test_a_cache_that_begins_empty_is_filled_after_the_next_load(cached: Caching, item: str) -> None:
    cached.cache.kill()
    cached.cache.start()
    for _ in range(2):
        assert label(cached, item) == "first"
    assert cached.seen(item)[0] == "miss"
    cached.load(put({"label": "other"}))
    cached.follow()
    cached.get(item)
    assert cached.seen(item)[0] == "hit"


def test_a_cache_lost_between_withdrawal_and_commit_is_not_filled_with_what_was(cached: Caching, item: str) -> None:
    with held_before_commit() as commit, threaded(lambda: cached.load(second(item))):
        commit.reached.wait(10)
        cached.cache.kill()
        cached.cache.start()
        assert label(cached, item) == "first"  # it is not applied yet
        with cached.standing_still():
            commit.go_on.set()
            assert label(cached, item) == "first"
    cached.follow()
    assert label(cached, item) == "second"
    assert label(cached, item) == "second"


class _Held:
    def __init__(self) -> None:
        self.reached, self.go_on = threading.Event(), threading.Event()


@contextmanager
def held_before_commit() -> Iterator[_Held]:
    held, commit = _Held(), Connection.commit

    def wait(connection: Any) -> None:
        held.reached.set()
        held.go_on.wait(20)
        commit(connection)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Connection, "commit", wait)
        yield held


@contextmanager
def threaded(work: Any) -> Iterator[None]:
    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        thread.join(30)
    assert not thread.is_alive()


@pytest.mark.parametrize("moment", ["before the commit", "after the commit"])
def test_a_loader_that_is_killed_leaves_nothing_old_behind(cached: Caching, item: str, moment: str) -> None:
    """With SIGKILL, right before or right after its commit; there is nothing that it had still to do."""
    write = second(item)
    cached.rig.objects.put("batches/killed", [write])
    loader = cached.loader()
    started = multiprocessing.get_context("fork").Process(target=_load_and_die, args=(loader, moment))
    started.start()
    started.join(20)
    assert started.exitcode == -signal.SIGKILL
    cached.follow()
    applied = moment == "after the commit"
    for _ in range(3):
        assert label(cached, item) == ("second" if applied else "first")
    if not applied:
        assert loader.load_batch("bucket", "batches/killed").applied == 1
        cached.follow()
    cached.get(item)
    assert cached.seen(item)[1].body["data"]["label"] == "second"


def _load_and_die(loader: Any, moment: str) -> None:
    commit = Connection.commit

    def die(connection: Any) -> None:
        if moment == "after the commit":
            commit(connection)
        os.kill(os.getpid(), signal.SIGKILL)

    Connection.commit = die  # type: ignore[assignment,method-assign]
    loader.load_batch("bucket", "batches/killed")


def test_loads_that_race_withdraw_what_either_touches(cached: Caching) -> None:
    """Late writes: loads of such run side by side, in whatever order they commit."""
    codes = [f"C{number}" for number in range(8)]
    early = [[put({"code": code, "text": f"{turn}"}, code, resource=CODES) for code in codes] for turn in range(12)]
    cached.load(put({"label": "moves the mark beyond them"}))

    def load(batches: list[list[Write]], loader: Loader) -> None:
        for batch in batches:
            cached.load(*batch, loader=loader)

    threads = [threading.Thread(target=load, args=(early[at::2], cached.loader())) for at in (0, 1)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for code in codes:
            cached.get(f"codes/{code}")
    for thread in threads:
        thread.join()
    cached.follow()
    for _ in range(2):
        assert [cached.get(f"codes/{code}").body["data"]["text"] for code in codes] == ["11"] * 8
    assert cached.seen("codes/C0")[0] == "hit"


def test_a_database_restored_from_before_does_not_meet_its_future_again(cached: Caching, item: str) -> None:
    """The cache has seen loads that the database has not: the next load begins another generation."""
    before = cached.row()
    for _ in range(3):
        cached.load(put({"label": "lost"}))
    with cached.rig.connection.cursor() as cursor:
        cursor.execute("UPDATE marks SET version = %s WHERE name = 'cache'", (before,))
    cached.rig.connection.commit()
    cached.load(second(item))
    cached.follow()
    assert generation_of(cached.row()).name != generation_of(before).name
    time.sleep(1)
    assert label(cached, item) == "second"


def test_a_load_without_a_cache_ends_the_generation(cached: Caching, item: str) -> None:
    """As after ReadCache was turned off: turned on again, the cache has what it had."""
    cached.rig.load(second(item))
    cached.follow()
    assert cached.row() == ""
    time.sleep(1)
    for _ in range(2):
        state, answer = cached.seen(item)
        assert (state, answer.body["data"]["label"]) == ("", "second")
    cached.load(delete(item.removeprefix("things/")))
    cached.follow()
    assert cached.get(item).status == 404


def test_a_refused_password_is_read_anew(cached: Caching, item: str) -> None:
    name, password = cached.cache.credentials
    cached.client.close()
    cached.client._user = Credentials(name, "of before")
    state, _ = cached.seen(item)
    assert state == "unavailable"
    time.sleep(0.25)
    assert cached.seen(item)[0] == "hit"
    assert password not in repr(cached.client._user)


def test_a_secret_that_cannot_be_read_is_a_cache_that_is_away(
    cached: Caching, item: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_arn: str) -> Credentials:
        raise AwsError("AccessDeniedException")

    monkeypatch.setattr("sluice.cache.valkey_client.read_credentials", unreadable)
    cached.client.close()
    cached.client._user = None
    state, answer = cached.seen(item)
    assert (state, answer.status) == ("unavailable", 200)
    assert cached.load(second(item)).applied == 1


def test_a_warm_connection_that_died_is_made_anew(cached: Caching, item: str) -> None:
    connection = cached.client._socket
    assert connection
    connection.shutdown(2)
    assert cached.seen(item)[0] == "hit"


def test_a_server_that_nobody_vouches_for_is_not_talked_to(cached: Caching, item: str) -> None:
    cached.client.close()
    cached.client._settings = CacheSettings("127.0.0.2", cached.cache.port, "cache", 600)
    assert cached.seen(item)[0] == "unavailable"


def test_the_user_may_do_nothing_else(cached: Caching, item: str) -> None:
    for command in (("KEYS", "*"), ("FLUSHALL",), ("CONFIG", "GET", "*"), ("ACL", "LIST"), ("MONITOR",)):
        with pytest.raises(CacheUnavailable, match="NOPERM"):
            cached.client.send_commands(command)
        cached.client._backoff_until = 0


def test_a_swap_leaves_every_entry_behind(cached: Caching, item: str, connect: Connect) -> None:
    """Versions go back: a rebuild without the second write. Nobody could tell the cache: it is away meanwhile."""
    write = second(item)
    cached.load(write)
    cached.follow()
    cached.get(item)
    assert cached.seen(item)[1].body["data"]["label"] == "second"
    rebuilding = Rebuilding(cached.rig, connect(autocommit=True))
    try:
        rebuilding.prepare(excluding(exclude={"versions": [write.version]}))
        rebuilding.fill(sorted(cached.rig.objects.content))
        cached.rig.connection.rollback()
        cached.rig.database.drop_connection()
        cached.cache.stop()
        rebuilding.swap()
        cached.cache.start()
        cached.follow()
        time.sleep(1)
        for _ in range(2):
            assert label(cached, item) == "first"
        later = put({"label": "third"}, write.id)
        cached.load(later)
        cached.follow()
        for _ in range(2):
            assert label(cached, item) == "third"
        assert cached.seen(item)[0] == "hit"
    finally:
        cached.close()
        rebuilding.clean()
