"""The moment in a response is never later than the truth, whatever the replica lacks."""

import datetime
import threading
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest

from local.database import DatabaseServers
from sluice.db.connection import Database
from sluice.db.moment import SELECT_MOMENT, format_moment, parse_moment, read_moment, write_moment
from sluice.http.response import AS_OF_HEADER
from sluice.model.record import Write
from sluice.model.versions import new_version
from sluice.query.list import PageRequest, select_page
from sluice.query.query_planner import plan_query
from sluice.query.statements import read_one_state
from sluice.recovery.heartbeat import ReadsState, send_heartbeat
from tests.database.cache_rig import CacheRig
from tests.database.conftest import Connect
from tests.database.deployed import Root
from tests.database.migration_rig import Migrated
from tests.database.reading_rig import ReadRig
from tests.database.rig import Rig
from tests.database.things import OWNER, THINGS, put
from tests.unit.requesting import Answer

Get = Callable[..., Answer]

AHEAD = "2099-01-01T00:00:00.000000"


@pytest.fixture
def get(rig: Rig, replica: Database) -> Get:
    """Read from the replica."""
    return ReadRig(rig, replica).get


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def read_header(answer: Answer) -> datetime.datetime:
    return datetime.datetime.fromisoformat(answer.headers[AS_OF_HEADER])


def test_reads_name_the_moment_and_refusals_do_not(
    rig: Rig, primary: Database, servers: DatabaseServers, get: Get
) -> None:
    write = put({"label": "first"})
    before = now()
    write_moment(primary)
    rig.load(write)
    servers.wait_for_replicas()
    item = get(f"things/{write.id}")
    answers = [
        item,
        get(f"things/{write.id}", headers={"If-None-Match": item.headers["ETag"]}),
        get(f"things/{write.id}", {"version": write.version}),
        get("things"),
        get("things", {"after": "", "limit": "1"}),
        get("codes"),  # an empty list is a state too
        get(f"things/{write.id}/writes/{write.version}"),
        get(f"things/{write.id}/writes/{new_version()}"),
        get(f"things/{uuid4()}"),  # and so is that there is no item
    ]
    assert [answer.status for answer in answers] == [200, 304, 200, 200, 200, 200, 200, 200, 404]
    assert {answer.headers[AS_OF_HEADER][-1] for answer in answers} == {"Z"}
    assert all(before - datetime.timedelta(seconds=1) < read_header(answer) <= now() for answer in answers)
    refused = [
        get(f"things/{write.id}", {"version": new_version()}),
        get("things", {"limit": "0"}),
        get("nothing"),
    ]
    servers.replica.kill()
    refused.append(get("things"))
    assert [answer.status for answer in refused] == [425, 400, 404, 503]
    assert not any(AS_OF_HEADER in answer.headers for answer in refused)


def test_without_the_row_the_moment_is_unknown_until_a_migration_writes_it(
    rig: Rig, servers: DatabaseServers, database: str, connect: Connect, get: Get
) -> None:
    write = put({"label": "first"})
    rig.load(write)
    servers.wait_for_replicas()
    paths = ["things", "codes", f"things/{write.id}"]
    for path in paths:
        answer = get(path)
        assert answer.status == 200
        assert AS_OF_HEADER not in answer.headers
    before = now()
    Migrated(servers, database, connect).run(*rig.resources.values())
    servers.wait_for_replicas()
    for path in paths:
        assert before <= read_header(get(path)) <= now()


def test_while_loads_go_on_the_first_moment_and_later_ones_name_one_state_each(
    rig: Rig, primary: Database, servers: DatabaseServers, database: str, connect: Connect
) -> None:
    schema = Migrated(servers, database, connect)
    is_over = threading.Event()

    def load() -> None:
        old = [put({"label": "old"}) for _ in range(20)]
        for number, late in enumerate(old):
            rig.load(put({"label": str(number)}), late)
            rig.load(put({"label": str(number)}))
        is_over.set()

    def migrate() -> None:
        while not is_over.is_set():
            schema.run(*rig.resources.values())

    states: dict[str, set[int]] = {}
    threads = [threading.Thread(target=load), threading.Thread(target=migrate)]
    with connect(autocommit=True).cursor() as cursor:
        for thread in threads:
            thread.start()
        moments = []
        while not is_over.is_set():
            cursor.execute(f"SELECT ({SELECT_MOMENT}), (SELECT COUNT(*) FROM things)")
            [(moment, count)] = cursor.fetchall()
            if moment:
                moments.append(moment)
                states.setdefault(moment, set()).add(count)
        for thread in threads:
            thread.join()
    assert len(states) > 1
    assert moments == sorted(moments)
    assert [counts for counts in states.values() if len(counts) > 1] == []


def test_the_moment_stands_while_the_replica_stands_and_moves_on(
    rig: Rig, primary: Database, replica: Database, servers: DatabaseServers, get: Get
) -> None:
    first, second = put({"label": "first"}), put({"label": "second"})
    write_moment(primary)
    rig.load(first)
    servers.wait_for_replicas()
    with servers.replica.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE SQL_THREAD")
        reached = read_moment(replica)
        rig.load(second)
        write_moment(primary)
        answer = get("things")
        assert [item["id"] for item in answer.body["items"]] == [first.id]
        assert read_moment(replica) == reached
        assert answer.headers[AS_OF_HEADER] == format_moment(reached)
        cursor.execute("START SLAVE SQL_THREAD")
    servers.wait_for_replicas()
    moved = read_moment(replica)
    assert moved > reached
    assert {item["id"] for item in get("things").body["items"]} == {first.id, second.id}


def test_whatever_was_loaded_by_the_moment_is_in_the_response(
    rig: Rig, primary: Database, replica: Database, servers: DatabaseServers
) -> None:
    """Loads and heartbeats commit while the replica stops and starts, and a reader compares what it sees with both."""
    write_moment(primary)
    loaded: list[tuple[datetime.datetime, str]] = []
    is_over = threading.Event()

    def load() -> None:
        for number in range(60):
            write = put({"label": str(number)})
            rig.load(write)
            loaded.append((now(), write.id))
            if number % 7 == 0:
                write_moment(primary)
        is_over.set()

    def interrupt_replication() -> None:
        with servers.replica.connect_as_root() as connection, connection.cursor() as cursor:
            while not is_over.is_set():
                cursor.execute("STOP SLAVE SQL_THREAD")
                is_over.wait(0.05)
                cursor.execute("START SLAVE SQL_THREAD")
                is_over.wait(0.02)

    threads = [threading.Thread(target=load), threading.Thread(target=interrupt_replication)]
    lacking = 0
    moments: list[str] = []
    servers.wait_for_replicas()
    for thread in threads:
        thread.start()
    while not is_over.is_set() or not moments:
        (items, _), reached = read_one_state(
            replica, lambda database: select_page(database, plan_query(THINGS, {}), OWNER, PageRequest(100))
        )
        known = list(loaded)  # afterwards: a load may end meanwhile
        shown = {item.id for item in items}
        assert reached
        moments.append(reached)
        moment = parse_moment(reached)
        assert {item_id for loaded_at, item_id in known if loaded_at <= moment} <= shown
        lacking += len({item_id for _, item_id in known} - shown)
    for thread in threads:
        thread.join()
    assert moments == sorted(moments)
    assert lacking  # the replica was behind, or this proved nothing


def test_the_moment_grows_with_each_load_whatever_the_clock_and_the_versions_say(
    rig: Rig, primary: Database, root: Root
) -> None:
    write_moment(primary)
    root.run(f"UPDATE {rig.database._settings.database_name}.marks SET version = '{AHEAD}' WHERE name = 'as_of'")
    old = put({"label": "late"})
    moments = []
    for step in (
        lambda: rig.load(put({"label": "new"})),
        lambda: rig.load(old),  # shares the lock of the mark, because its version is below it
        lambda: write_moment(primary),
    ):
        step()
        moments.append(read_moment(primary))
    assert moments == [f"{AHEAD[:-1]}{number}" for number in (1, 2, 3)]


def test_an_item_costs_one_statement_also_if_there_is_none(
    rig: Rig, primary: Database, servers: DatabaseServers, get: Get, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = put({"label": "first"})
    rig.load(write)
    write_moment(primary)
    servers.wait_for_replicas()
    statements: list[str] = []
    run = Database._run_query

    def count(database: Database, statement: str, *values: Any, **options: Any) -> list[dict[str, Any]]:
        statements.append(statement)
        return run(database, statement, *values, **options)

    monkeypatch.setattr(Database, "_run_query", count)
    paths = [f"things/{write.id}", f"things/{uuid4()}", f"things/{write.id}/writes/{write.version}", "things"]
    for number, path in enumerate(paths, 1):
        get(path)
        assert len(statements) == number, path
    get("codes")  # an empty list: the rows, then the moment with the certainty that there are still none
    assert len(statements) == len(paths) + 2


def test_the_moment_of_cached_items_is_one_that_they_include(cache_rig: CacheRig, primary: Database) -> None:
    write_moment(primary)
    write: Write = cache_rig.load_and_cache_item()
    path = f"things/{write.id}"
    before = now()
    cached = cache_rig.get_with_cache_state(path)
    assert cached[0] == "hit"
    assert read_header(cached[1]) <= before
    assert read_header(cached[1]) > before - datetime.timedelta(seconds=30)


def test_a_heartbeat_says_what_the_replicas_show(
    rig: Rig, primary: Database, replicas: dict[str, Database], servers: DatabaseServers, root: Root
) -> None:
    before = now()
    state = send_heartbeat(primary, replicas, now)
    assert state.is_available
    assert state.as_of
    assert before <= state.as_of <= state.checked_at <= now()
    with root.setting("read_only", 1):
        # The replicas answer, and have what they had.
        unwritten = send_heartbeat(primary, replicas, now)
    assert (unwritten.is_available, unwritten.as_of) == (True, state.as_of)
    servers.replicas[0].kill()
    # The other one answers.
    alone = send_heartbeat(primary, replicas, now)
    assert alone.is_available
    assert alone.as_of
    assert alone.as_of > state.as_of
    servers.replicas[1].kill()
    gone = send_heartbeat(primary, replicas, now)
    assert gone == ReadsState(gone.checked_at, is_available=False)
    servers.primary.kill()
    assert not send_heartbeat(primary, replicas, now).is_available
    servers.start()
    servers.wait_for_replicas()
    later = send_heartbeat(primary, replicas, now).as_of
    assert later
    assert later > alone.as_of


def test_the_earliest_moment_counts_until_a_replica_is_far_behind(
    rig: Rig,
    primary: Database,
    replicas: dict[str, Database],
    servers: DatabaseServers,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sluice.recovery.heartbeat.REPLICA_WAIT_SECONDS", 0.1)
    first = send_heartbeat(primary, replicas, now)
    with servers.replicas[1].connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE SQL_THREAD")
        second = send_heartbeat(primary, replicas, now)
        monkeypatch.setattr("sluice.recovery.heartbeat.MAX_COUNTED_LAG_SECONDS", 0.0)
        third = send_heartbeat(primary, replicas, now)
        cursor.execute("START SLAVE SQL_THREAD")
    assert (second.is_available, second.as_of) == (True, first.as_of)
    assert second.checked_at > first.checked_at
    assert third.as_of
    assert first.as_of
    assert third.as_of > first.as_of


def test_without_replicas_a_heartbeat_says_what_the_primary_shows(
    rig: Rig, primary: Database, servers: DatabaseServers
) -> None:
    before = now()
    state = send_heartbeat(primary, {}, now)
    assert state.is_available
    assert state.as_of
    assert before <= state.as_of <= state.checked_at
    servers.primary.kill()
    assert not send_heartbeat(primary, {}, now).is_available
    servers.start()
