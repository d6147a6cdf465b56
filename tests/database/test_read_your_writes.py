"""Who wrote and asks for the version sees that write or a later one, and never an earlier state."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from local.database import DatabasePair
from sluice.db.connection import Database
from sluice.model.versions import new_version
from tests.database.reading_rig import ReadRig
from tests.database.rig import Rig
from tests.database.things import delete, put
from tests.unit.requesting import Answer

OTHER = "another-owner"
WAITING = {"Prefer": "wait=2"}


def too_early(answer: Answer, item_id: str, version: str) -> bool:
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
    assert too_early(reader.get(path, {"version": second.version}), first.id, second.version)
    rig.load(third)
    for version in (first.version, second.version, third.version):
        answer = reader.get(path, {"version": version})
        assert (answer.status, answer.body["version"]) == (200, third.version)
        assert answer.headers == reader.get(path).headers
    assert "Preference-Applied" not in answer.headers


def test_an_item_that_never_was_is_too_early(reader: ReadRig) -> None:
    write = put({"label": "never"})
    assert too_early(reader.get(f"things/{write.id}", {"version": write.version}), write.id, write.version)


def test_a_delete_is_seen_in_the_same_way(rig: Rig, reader: ReadRig) -> None:
    first = put({"label": "first"})
    gone = delete(first.id)
    path, query = f"things/{first.id}", {"version": gone.version}
    rig.load(first)
    assert too_early(reader.get(path, query), first.id, gone.version)
    rig.load(gone)
    answer = reader.get(path, query, headers=WAITING)
    assert (answer.status, answer.headers["Preference-Applied"]) == (404, "wait=2")
    assert reader.get(path, {"version": first.version}).status == 404


def test_a_write_that_comes_meanwhile_is_waited_for(rig: Rig, reader: ReadRig) -> None:
    write = put({"label": "late"})
    later = threading.Timer(0.4, rig.load, (write,))
    later.start()
    started = time.monotonic()
    answer = reader.get(f"things/{write.id}", {"version": write.version}, headers={"Prefer": "wait=30"})
    took = time.monotonic() - started
    later.join()
    assert (answer.status, answer.body["data"]["label"]) == (200, "late")
    assert answer.headers["Preference-Applied"] == "wait=3"
    assert 0.4 <= took < 3


@pytest.mark.parametrize(
    ("prefer", "applied", "least", "most"),
    [("wait=1", "wait=1", 1, 2.9), ("wait=0", "wait=0", 0, 1.9), ("wait=60", "wait=3", 3, 20), ("", None, 0, 1.9)],
)
def test_the_wait_is_as_long_as_preferred_and_allowed(
    reader: ReadRig, prefer: str, applied: str | None, least: float, most: float
) -> None:
    write = put({"label": "never"})
    reader.replica.get_connection()
    started = time.monotonic()
    answer = reader.get(f"things/{write.id}", {"version": write.version}, headers={"Prefer": prefer})
    took = time.monotonic() - started
    assert too_early(answer, write.id, write.version)
    assert answer.headers.get("Preference-Applied") == applied
    assert least <= took < most


def test_without_a_version_nobody_waits(reader: ReadRig) -> None:
    answer = reader.get(f"things/{put({'label': 'x'}).id}", headers=WAITING)
    assert (answer.status, answer.headers.get("Preference-Applied")) == (404, None)


def test_what_the_client_holds_is_not_sent_again(rig: Rig, reader: ReadRig) -> None:
    write = put({"label": "first"})
    rig.load(write)
    held = {"If-None-Match": f'"{write.version}"', **WAITING}
    answer = reader.get(f"things/{write.id}", {"version": write.version}, headers=held)
    assert (answer.status, answer.body, answer.headers["Preference-Applied"]) == (304, None, "wait=2")


def test_another_owner_s_version_never_comes(rig: Rig, reader: ReadRig) -> None:
    write = put({"label": "mine"})
    rig.load(write)
    answer = reader.get(f"things/{write.id}", {"version": write.version}, owner=OTHER)
    assert too_early(answer, write.id, write.version)
    never = put({"label": "never"})
    unknown = reader.get(f"things/{never.id}", {"version": never.version}, owner=OTHER)
    assert (answer.status, answer.body) == (unknown.status, unknown.body)


@pytest.mark.parametrize(
    ("query", "field"),
    [({"version": "1"}, "version"), ({"version": ""}, "version"), ({"versoin": new_version()}, "versoin")],
)
def test_a_query_that_is_not_understood_is_not_passed_over(reader: ReadRig, query: dict[str, str], field: str) -> None:
    answer = reader.get(f"things/{put({'label': 'x'}).id}", query)
    assert (answer.status, answer.fields) == (400, [field])


@pytest.fixture
def on_replica(reader: ReadRig, pair: DatabasePair, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadRig]:
    """The reader where it belongs: at the real replica, which has what the primary has."""
    settings = msgspec.structs.replace(
        reader.rig.database._settings, database_host=pair.replica.host, database_port=pair.replica.port
    )
    replica = Database(settings, statement_timeout_seconds=30)
    monkeypatch.setattr(reader, "replica", replica)
    pair.wait_for_replica()
    yield reader
    replica.drop_connection()


@contextmanager
def stopped(pair: DatabasePair) -> Iterator[None]:
    """The replica answers and follows no more."""
    with pair.replica.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE")
        try:
            yield
        finally:
            cursor.execute("START SLAVE")


def test_under_a_replica_that_follows_no_more_nothing_earlier_is_shown(
    rig: Rig, on_replica: ReadRig, pair: DatabasePair
) -> None:
    first = put({"label": "first"})
    path = f"things/{first.id}"
    rig.load(first)
    assert on_replica.get(path, {"version": first.version}, headers=WAITING).status == 200
    with stopped(pair):
        second = put({"label": "second"}, first.id)
        rig.load(second)
        answer = on_replica.get(path, {"version": second.version}, headers=WAITING)
        assert too_early(answer, first.id, second.version)
        assert on_replica.get(path).body["data"]["label"] == "first"
    answer = on_replica.get(path, {"version": second.version}, headers=WAITING)
    assert (answer.status, answer.body["data"]["label"]) == (200, "second")


def test_a_replica_that_is_gone_is_waited_for(rig: Rig, on_replica: ReadRig, pair: DatabasePair) -> None:
    write = put({"label": "first"})
    path, query = f"things/{write.id}", {"version": write.version}
    rig.load(write)
    pair.wait_for_replica()
    assert on_replica.get(path, query).status == 200
    pair.replica.kill()
    try:
        assert on_replica.get(path).status == 503
        assert too_early(on_replica.get(path, query, headers={"Prefer": "wait=1"}), write.id, write.version)
    finally:
        pair.start()
    assert on_replica.get(path, query).status == 200
