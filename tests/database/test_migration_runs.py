"""Migrations that run at the same time, meet a load or crash, on a real MariaDB."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pymysql
import pytest

from local.database import DatabaseServers
from sluice.errors import MigrationFailed
from sluice.load.high_water_mark import HighWaterMark
from sluice.model.resource import Resource
from sluice.schema import ddl_executor, migration
from sluice.schema.ddl_executor import explain_error
from tests.database.migration_rig import Migrated, notes
from tests.database.migration_rig import migration as make_migration


@pytest.fixture
def schema(servers: DatabaseServers, database: str, connect: Any) -> Migrated:
    return Migrated(servers, database, connect)


def test_of_two_migrations_at_once_one_does_everything_and_the_other_nothing(schema: Migrated) -> None:
    resources = [notes(collection=name, text=str) for name in ("a", "b", "c")]
    meeting = threading.Barrier(2)

    def run() -> int:
        meeting.wait()
        return len(schema.run(*resources).done)

    with ThreadPoolExecutor(2) as both:
        runs = [both.submit(run) for _ in range(2)]
        assert sorted(run.result() for run in runs) == [0, 9]


def test_a_migration_that_cannot_get_the_lock_fails_with_a_sentence(
    schema: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "LOCK_SECONDS", 0.2)
    schema.sql(f"SELECT GET_LOCK('sluice {schema.schema}', 0)")
    with pytest.raises(MigrationFailed, match=f"Another migration of the schema {schema.schema} is still running"):
        schema.run(notes(text=str))
    schema.sql(f"DO RELEASE_LOCK('sluice {schema.schema}')")
    assert schema.run(notes(text=str)).done


def widened(**more: Any) -> list[Resource]:
    return [notes(collection=name, text=str, **more) for name in ("a", "b", "c")]


def wait_until(schema: Migrated, state: str) -> None:
    until = time.monotonic() + 20
    while not schema.sql("SELECT 1 FROM information_schema.processlist WHERE state = %s", state):
        assert time.monotonic() < until
        time.sleep(0.02)


def test_after_a_crash_between_two_statements_the_next_run_does_the_rest(schema: Migrated) -> None:
    schema.run(*widened())
    holder = schema.connect()
    with holder.cursor() as cursor:
        cursor.execute("SELECT * FROM b")  # a transaction that keeps the table's definition as it is
    with ThreadPoolExecutor(1) as other:
        run = other.submit(schema.run, *widened(tag=(str | None, None)))
        wait_until(schema, "Waiting for table metadata lock")
        schema.servers.primary.kill()
        with pytest.raises(pymysql.Error) as broken:
            run.result()
    assert "the database is unreachable or accepts no changes now" in explain_error(broken.value)
    schema.servers.start()
    schema.admin = schema.connect(autocommit=True)
    assert ["tag" in schema.columns(table) for table in ("a", "b", "c")] == [True, False, False]
    outcome = schema.run(*widened(tag=(str | None, None)))
    assert [step.partition(":")[0] for step in outcome.done] == ["alter b", "alter c"]
    assert ["tag" in schema.columns(table) for table in ("a", "b", "c")] == [True, True, True]


def test_a_load_that_locks_the_table_too_long_fails_the_migration(
    schema: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ddl_executor, "LOCK_WAIT_SECONDS", 1)
    schema.run(notes(text=str))
    with schema.connect().cursor() as cursor:
        cursor.execute("SELECT * FROM notes")
        begin = time.monotonic()
        with pytest.raises(pymysql.Error) as late:
            schema.run(notes(text=str, tag=(str | None, None)))
    assert time.monotonic() - begin < 10
    assert "a load locked a table for too long; deploy again" in explain_error(late.value)


def test_no_statement_starts_without_time_left(schema: Migrated) -> None:
    late = make_migration(schema.connect(autocommit=True), schema.schema, notes(text=str))
    late._executor._deadline = time.monotonic()
    with pytest.raises(MigrationFailed, match="The time is over"):
        late.run(tuple)
    assert schema.tables() == {}


def test_loads_and_reads_continue_while_a_column_is_added(schema: Migrated) -> None:
    """An instant change waits for no reader that has finished, and rewrites nothing."""
    schema.run(notes(text=str))
    schema.sql(
        "INSERT INTO notes SELECT '', UUID(), '', NOW(), 0, REPEAT('x', 1000) FROM "
        "(SELECT 1 FROM information_schema.columns LIMIT 1000) AS many"
    )
    outcome = schema.run(notes(text=str, tag=(str | None, None)))
    assert outcome.done == ("alter notes: add tag MEDIUMTEXT (ALGORITHM=INSTANT)",)
    assert schema.sql("SELECT COUNT(*), COUNT(tag) FROM notes") == [(1000, 0)]


def read_moment(schema: Migrated) -> str | None:
    rows = schema.sql("SELECT version FROM marks WHERE name = 'as_of'")
    return str(rows[0][0]) if rows else None


def read_time(schema: Migrated) -> str:
    return str(schema.sql("SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%f')")[0][0])


def test_a_migration_writes_the_first_moment_and_leaves_a_later_one_to_the_heartbeat(schema: Migrated) -> None:
    before = read_time(schema)
    assert schema.run(notes(text=str)).done[-1] == "write the first moment"
    first = read_moment(schema)
    assert first
    assert before <= first <= read_time(schema)
    # The clock of a restored primary can be behind the moment, or far ahead of it.
    for moment in ("2000-01-01T00:00:00.000000", "2099-01-01T00:00:00.000000"):
        schema.sql("UPDATE marks SET version = %s WHERE name = 'as_of'", moment)
        schema.run(notes(text=str, tag=(str | None, None)))
        assert read_moment(schema) == moment


def test_a_plan_for_a_database_without_a_moment_changes_nothing(schema: Migrated) -> None:
    schema.run(notes(text=str))
    schema.sql("DELETE FROM marks")
    before = schema.binary_log_position()
    assert schema.plan(notes(text=str)).statements == ()
    assert schema.binary_log_position() == before
    assert schema.run(notes(text=str)).done == ("write the first moment",)


def test_the_first_moment_waits_for_a_load_that_has_none_to_advance(schema: Migrated) -> None:
    """Otherwise two states, before and after the commit of the load, would have the first moment."""
    schema.run(notes(text=str))
    schema.sql("DELETE FROM marks")
    load = schema.connect()
    with ThreadPoolExecutor(1) as other, load.cursor() as cursor:
        mark = HighWaterMark(load, ["notes"], filtered=False)
        mark.acquire_lock("01AAAAAAAAAAAAAAAAAAAAAAAA", "01AAAAAAAAAAAAAAAAAAAAAAAA", exclusive=True)
        cursor.execute("INSERT INTO notes SELECT '', UUID(), '', NOW(), 0, 'x'")
        mark.advance("01AAAAAAAAAAAAAAAAAAAAAAAA")
        run = other.submit(schema.run, notes(text=str))
        wait_until(schema, "Update")
        assert read_moment(schema) is None
        load.commit()
        assert run.result().done == ("write the first moment",)
    assert read_moment(schema)
    assert schema.sql("SELECT COUNT(*) FROM notes") == [(1,)]
