"""A read with the version of a write returns that write or a later one, never an earlier state."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from local.database import DatabaseServers
from sluice.db.connection import Database
from sluice.model.versions import new_version
from tests.database.reading_rig import ReadRig
from tests.database.rig import Rig
from tests.database.things import delete, put
from tests.unit.requesting import Answer

OTHER = "another-owner"
PREFER_WAIT = {"Prefer": "wait=2"}


def is_too_early(answer: Answer, item_id: str, version: str) -> bool:
    assert answer.status == 425, answer.body
    assert 1 <= int(answer.headers["Retry-After"]) <= 60
    assert answer.headers["Link"] == f'<{item_id}/writes/{version}>; rel="status"'
    assert answer.headers["Cache-Control"] == "no-store"
    return True


def test_an_item_is_shown_at_its_version_or_a_later_one(rig: Rig, reader: ReadRig) -> None:
    first = put({"label": "first"})
    path = f"things/{first.id}"
    second = put({"label": "second"}, first.id)
    third = put({"label": "third"}, first.id)
    rig.load(first)
    assert reader.get(path, {"version": first.version}).body["data"]["label"] == "first"
    assert is_too_early(reader.get(path, {"version": second.version}), first.id, second.version)
    rig.load(third)
    for version in (first.version, second.version, third.version):
        answer = reader.get(path, {"version": version})
        assert (answer.status, answer.body["version"]) == (200, third.version)
        assert answer.headers == reader.get(path).headers
    assert "Preference-Applied" not in answer.headers


def test_a_write_that_does_not_exist_is_too_early(reader: ReadRig) -> None:
    write = put({"label": "never"})
    assert is_too_early(reader.get(f"things/{write.id}", {"version": write.version}), write.id, write.version)


def test_a_delete_is_awaited_in_the_same_way(rig: Rig, reader: ReadRig) -> None:
    first = put({"label": "first"})
    deletion = delete(first.id)
    path, query = f"things/{first.id}", {"version": deletion.version}
    rig.load(first)
    assert is_too_early(reader.get(path, query), first.id, deletion.version)
    rig.load(deletion)
    answer = reader.get(path, query, headers=PREFER_WAIT)
    assert (answer.status, answer.headers["Preference-Applied"]) == (404, "wait=2")
    assert reader.get(path, {"version": first.version}).status == 404


def test_the_read_waits_for_a_write_that_arrives_meanwhile(rig: Rig, reader: ReadRig) -> None:
    write = put({"label": "late"})
    later = threading.Timer(0.4, rig.load, (write,))
    later.start()
    started = time.monotonic()
    answer = reader.get(f"things/{write.id}", {"version": write.version}, headers={"Prefer": "wait=30"})
    elapsed = time.monotonic() - started
    later.join()
    assert (answer.status, answer.body["data"]["label"]) == (200, "late")
    assert answer.headers["Preference-Applied"] == "wait=3"
    assert 0.4 <= elapsed < 3


@pytest.mark.parametrize(
    ("prefer", "applied", "min_seconds", "max_seconds"),
    [("wait=1", "wait=1", 1, 2.9), ("wait=0", "wait=0", 0, 1.9), ("wait=60", "wait=3", 3, 20), ("", None, 0, 1.9)],
)
def test_the_wait_is_as_long_as_preferred_and_allowed(
    reader: ReadRig, prefer: str, applied: str | None, min_seconds: float, max_seconds: float
) -> None:
    write = put({"label": "never"})
    reader.replica.get_connection()
    started = time.monotonic()
    answer = reader.get(f"things/{write.id}", {"version": write.version}, headers={"Prefer": prefer})
    elapsed = time.monotonic() - started
    assert is_too_early(answer, write.id, write.version)
    assert answer.headers.get("Preference-Applied") == applied
    assert min_seconds <= elapsed < max_seconds


def test_without_a_version_the_read_does_not_wait(reader: ReadRig) -> None:
    answer = reader.get(f"things/{put({'label': 'x'}).id}", headers=PREFER_WAIT)
    assert (answer.status, answer.headers.get("Preference-Applied")) == (404, None)


def test_a_stored_response_is_not_sent_again(rig: Rig, reader: ReadRig) -> None:
    write = put({"label": "first"})
    rig.load(write)
    conditional = {"If-None-Match": f'"{write.version}"', **PREFER_WAIT}
    answer = reader.get(f"things/{write.id}", {"version": write.version}, headers=conditional)
    assert (answer.status, answer.body, answer.headers["Preference-Applied"]) == (304, None, "wait=2")


def test_the_version_of_another_owner_never_arrives(rig: Rig, reader: ReadRig) -> None:
    write = put({"label": "mine"})
    rig.load(write)
    answer = reader.get(f"things/{write.id}", {"version": write.version}, owner=OTHER)
    assert is_too_early(answer, write.id, write.version)
    never = put({"label": "never"})
    unknown = reader.get(f"things/{never.id}", {"version": never.version}, owner=OTHER)
    assert (answer.status, answer.body) == (unknown.status, unknown.body)


@pytest.mark.parametrize(
    ("query", "field"),
    [({"version": "1"}, "version"), ({"version": ""}, "version"), ({"versoin": new_version()}, "versoin")],
)
def test_an_invalid_query_is_rejected(reader: ReadRig, query: dict[str, str], field: str) -> None:
    answer = reader.get(f"things/{put({'label': 'x'}).id}", query)
    assert (answer.status, answer.fields) == (400, [field])


@pytest.fixture
def on_replica(reader: ReadRig, servers: DatabaseServers, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadRig]:
    """The reader on the real replica, after it has caught up with the primary."""
    settings = msgspec.structs.replace(
        reader.rig.database._settings, database_host=servers.replica.host, database_port=servers.replica.port
    )
    replica = Database(settings, statement_timeout_seconds=30)
    monkeypatch.setattr(reader, "replica", replica)
    servers.wait_for_replicas()
    yield reader
    replica.drop_connection()


@contextmanager
def stop_replication(servers: DatabaseServers) -> Iterator[None]:
    """Stop the replication: the replica still answers queries."""
    with servers.replica.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE")
        try:
            yield
        finally:
            cursor.execute("START SLAVE")


def test_while_replication_is_stopped_no_earlier_state_is_returned(
    rig: Rig, on_replica: ReadRig, servers: DatabaseServers
) -> None:
    first = put({"label": "first"})
    path = f"things/{first.id}"
    rig.load(first)
    assert on_replica.get(path, {"version": first.version}, headers=PREFER_WAIT).status == 200
    with stop_replication(servers):
        second = put({"label": "second"}, first.id)
        rig.load(second)
        answer = on_replica.get(path, {"version": second.version}, headers=PREFER_WAIT)
        assert is_too_early(answer, first.id, second.version)
        assert on_replica.get(path).body["data"]["label"] == "first"
    answer = on_replica.get(path, {"version": second.version}, headers=PREFER_WAIT)
    assert (answer.status, answer.body["data"]["label"]) == (200, "second")


def test_the_read_waits_for_an_unavailable_replica(rig: Rig, on_replica: ReadRig, servers: DatabaseServers) -> None:
    write = put({"label": "first"})
    path, query = f"things/{write.id}", {"version": write.version}
    rig.load(write)
    servers.wait_for_replicas()
    assert on_replica.get(path, query).status == 200
    servers.replica.kill()
    try:
        assert on_replica.get(path).status == 503
        assert is_too_early(on_replica.get(path, query, headers={"Prefer": "wait=1"}), write.id, write.version)
    finally:
        servers.start()
    assert on_replica.get(path, query).status == 200
