"""The moment in a response is never later than the truth, whatever the replica lacks."""

import datetime
import json
import threading
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from local.database import DatabasePair
from sluice.db.as_of import format_moment, parse_moment, read_as_of, write_as_of
from sluice.db.connection import Database
from sluice.http.api_gateway import create_api_handler
from sluice.http.response import AS_OF_HEADER
from sluice.model.record import Write
from sluice.model.versions import new_version
from sluice.query import replica_reads
from sluice.query.list import PageRequest, select_page
from sluice.query.query_planner import plan_query
from sluice.query.read_router import ReadRouter
from sluice.query.replica_reads import Replica, ReplicaReads
from sluice.recovery.heartbeat import ReadsState, beat
from tests.database.cache_rig import CacheRig
from tests.database.deployed import Root
from tests.database.reading_rig import create_read_settings
from tests.database.rig import Rig
from tests.database.things import OWNER, THINGS, put
from tests.unit.requesting import Answer, Context, event

Get = Callable[..., Answer]


@pytest.fixture
def primary(rig: Rig) -> Iterator[Database]:
    database = Database(rig.database._settings, statement_timeout_seconds=10)
    yield database
    database.drop_connection()


@pytest.fixture
def replica(rig: Rig, pair: DatabasePair) -> Iterator[Database]:
    there = msgspec.structs.replace(rig.database._settings, database_port=pair.replica.port)
    database = Database(there, statement_timeout_seconds=10)
    pair.wait_for_replica()
    yield database
    database.drop_connection()
    pair.start()


@pytest.fixture
def get(rig: Rig, replica: Database, monkeypatch: pytest.MonkeyPatch) -> Get:
    """Read from the replica. Each read asks for the moment anew."""
    monkeypatch.setattr(replica_reads, "MOMENT_SECONDS", 0.0)
    router = ReadRouter(rig.resources, replica, create_read_settings(replica))
    handle = create_api_handler("get", router.respond)

    def get(path: str, query: dict[str, str] | None = None, headers: dict[str, str] | None = None) -> Answer:
        sent = event("GET", path, query=query, headers=headers, claims={"sub": OWNER})
        answer: dict[str, Any] = handle(sent, Context())
        return Answer(answer["statusCode"], answer["headers"], json.loads(answer["body"]) if answer["body"] else None)

    return get


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def read_header(answer: Answer) -> datetime.datetime:
    return datetime.datetime.fromisoformat(answer.headers[AS_OF_HEADER])


def test_reads_name_the_moment_and_errors_do_not(rig: Rig, primary: Database, pair: DatabasePair, get: Get) -> None:
    write = put({"label": "first"})
    before = now()
    write_as_of(primary)
    rig.load(write)
    pair.wait_for_replica()
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
    ]
    assert [answer.status for answer in answers] == [200, 304, 200, 200, 200, 200, 200, 200]
    assert {answer.headers[AS_OF_HEADER][-1] for answer in answers} == {"Z"}
    assert all(before - datetime.timedelta(seconds=1) < read_header(answer) <= now() for answer in answers)
    refused = [
        get(f"things/{uuid4()}"),
        get(f"things/{write.id}", {"version": new_version()}),
        get("things", {"limit": "0"}),
        get("nothing"),
    ]
    pair.replica.kill()
    refused.append(get("things"))
    assert [answer.status for answer in refused] == [404, 425, 400, 404, 503]
    assert not any(AS_OF_HEADER in answer.headers for answer in refused)


def test_before_the_first_heartbeat_the_moment_is_unknown(rig: Rig, pair: DatabasePair, get: Get) -> None:
    rig.load(put({"label": "first"}))
    pair.wait_for_replica()
    answer = get("things")
    assert answer.status == 200
    assert AS_OF_HEADER not in answer.headers


def test_the_moment_stands_while_the_replica_stands_and_moves_on(
    rig: Rig, primary: Database, replica: Database, pair: DatabasePair, get: Get
) -> None:
    first, second = put({"label": "first"}), put({"label": "second"})
    write_as_of(primary)
    rig.load(first)
    pair.wait_for_replica()
    with pair.replica.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE SQL_THREAD")
        reached = read_as_of(replica)
        rig.load(second)
        write_as_of(primary)
        answer = get("things")
        assert [item["id"] for item in answer.body["items"]] == [first.id]
        assert read_as_of(replica) == reached
        assert answer.headers[AS_OF_HEADER] == format_moment(reached)
        cursor.execute("START SLAVE SQL_THREAD")
    pair.wait_for_replica()
    moved = read_as_of(replica)
    assert moved > reached
    assert {item["id"] for item in get("things").body["items"]} == {first.id, second.id}


def test_whatever_was_loaded_by_the_moment_is_in_the_response(
    rig: Rig, primary: Database, replica: Database, pair: DatabasePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loads and heartbeats commit while the replica stops and starts, and a reader compares what it sees with both."""
    write_as_of(primary)
    loaded: list[tuple[datetime.datetime, str]] = []
    is_over = threading.Event()

    def load() -> None:
        for number in range(60):
            write = put({"label": str(number)})
            rig.load(write)
            loaded.append((now(), write.id))
            if number % 7 == 0:
                write_as_of(primary)
        is_over.set()

    def interrupt_replication() -> None:
        with pair.replica.connect_as_root() as connection, connection.cursor() as cursor:
            while not is_over.is_set():
                cursor.execute("STOP SLAVE SQL_THREAD")
                is_over.wait(0.05)
                cursor.execute("START SLAVE SQL_THREAD")
                is_over.wait(0.02)

    threads = [threading.Thread(target=load), threading.Thread(target=interrupt_replication)]
    monkeypatch.setattr(replica_reads, "MOMENT_SECONDS", 0.03)
    reader, lacking = Replica(replica), 0
    moments: list[str] = []
    pair.wait_for_replica()
    for thread in threads:
        thread.start()
    while not is_over.is_set() or not moments:
        reads = ReplicaReads(reader)
        items, _ = select_page(reads, plan_query(THINGS, {}), OWNER, PageRequest(100))
        known = list(loaded)  # afterwards: a load may end meanwhile
        shown = {item.id for item in items}
        assert reads.as_of
        moments.append(reads.as_of)
        as_of = parse_moment(reads.as_of)
        assert {item_id for moment, item_id in known if moment <= as_of} <= shown
        lacking += len({item_id for _, item_id in known} - shown)
    for thread in threads:
        thread.join()
    assert moments == sorted(moments)
    assert lacking  # the replica was behind, or this proved nothing


def test_the_moment_of_cached_items_is_one_that_they_include(
    cache_rig: CacheRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    primary = Database(cache_rig.rig.database._settings, statement_timeout_seconds=10)
    write_as_of(primary)
    write: Write = cache_rig.load_and_cache_item()
    path = f"things/{write.id}"
    before = now()
    cached = cache_rig.get_with_cache_state(path)
    assert cached[0] == "hit"
    assert read_header(cached[1]) <= before
    assert read_header(cached[1]) > before - datetime.timedelta(seconds=30)
    primary.drop_connection()


def test_a_heartbeat_says_what_the_replica_shows(
    rig: Rig, primary: Database, replica: Database, pair: DatabasePair, root: Root
) -> None:
    before = now()
    state = beat(primary, replica, now)
    assert state.is_available
    assert state.as_of
    assert before <= state.as_of <= state.checked_at <= now()
    with root.setting("read_only", 1):
        # The replica answers, and has what it had.
        unwritten = beat(primary, replica, now)
    assert (unwritten.is_available, unwritten.as_of) == (True, state.as_of)
    pair.replica.kill()
    gone = beat(primary, replica, now)
    assert gone == ReadsState(gone.checked_at, is_available=False)
    pair.primary.kill()
    assert not beat(primary, replica, now).is_available
    pair.primary.start()
    pair.replica.start()
    pair.start()
    pair.wait_for_replica()
    later = beat(primary, replica, now).as_of
    assert later
    assert later > state.as_of


def test_a_heartbeat_waits_only_shortly_for_a_replica_that_stands(
    rig: Rig, primary: Database, replica: Database, pair: DatabasePair, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.recovery.heartbeat.REPLICA_WAIT_SECONDS", 0.1)
    first = beat(primary, replica, now)
    with pair.replica.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE SQL_THREAD")
        second = beat(primary, replica, now)
        cursor.execute("START SLAVE SQL_THREAD")
    assert (second.is_available, second.as_of) == (True, first.as_of)
    assert second.checked_at > first.checked_at
