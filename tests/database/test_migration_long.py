"""Changes of a table that take longer than the function may run, on a real MariaDB."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import pytest
from msgspec import Meta

from local.database import DatabaseServers
from sluice.errors import MigrationFailed, MigrationRefused
from sluice.model.resource import Resource
from sluice.schema import alter, migration
from sluice.schema.ddl_executor import Executor
from sluice.schema.migration import Migration
from tests.database.migration_rig import Migrated, notes

SHORT, LONG = notes(text=Annotated[str, Meta(max_length=20)]), notes(text=str)
INDEXED = notes(text=Annotated[str, Meta(max_length=20)], indexes=["text"])
COPIED = "alter notes: change text VARCHAR(20) to MEDIUMTEXT"


@pytest.fixture
def schema(servers: DatabaseServers, database: str, connect: Any, monkeypatch: pytest.MonkeyPatch) -> Migrated:
    monkeypatch.setattr(migration, "LOCK_SECONDS", 0.2)
    migrated = Migrated(servers, database, connect)
    migrated.run(SHORT)
    migrated.sql(
        "INSERT INTO notes (owner, id, version, written_at, deleted, text) "
        "SELECT '', UUID(), '', NOW(), 0, 'kept' FROM seq_1_to_2000"
    )
    migrated.sql("ANALYZE TABLE notes")
    return migrated


def migrate(schema: Migrated, resource: Resource, seconds: float = 30, *, allow_long: bool = False) -> tuple[str, ...]:
    """Migrate as the function does: with a connection of its own, which ends with it."""
    connection = schema.connect(autocommit=True, database=None)
    run = Migration(connection, schema.schema, [resource], time.monotonic() + seconds, allow_long=allow_long)
    try:
        return run.run(tuple).done
    finally:
        connection.close()


@pytest.fixture
def short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each statement finds the same seconds left, however long the machine took for those before it."""
    monkeypatch.setattr(Executor, "remaining_seconds", lambda _executor: 3.0)


@contextmanager
def long_read(schema: Migrated) -> Iterator[None]:
    """A transaction that has read the table: a change waits for its end, and so takes long."""
    with schema.connect() as reading, reading.cursor() as cursor:
        cursor.execute("SELECT * FROM notes LIMIT 1")
        yield


def wait_for_the_change(schema: Migrated) -> None:
    until = time.monotonic() + 20
    while schema.sql("SELECT 1 FROM information_schema.processlist WHERE info LIKE 'ALTER TABLE notes%'"):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_copy_that_takes_too_long_is_refused_before_it_starts_and_can_be_made_by_hand(
    schema: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(alter, "COPY_BYTES_PER_SECOND", 1000)
    before = schema.binary_log_position()
    with pytest.raises(MigrationRefused) as refused:
        migrate(schema, notes(text=str, added=(int | None, None)))
    assert schema.binary_log_position() == before
    assert str(refused.value).startswith(
        "Nothing was changed. This change copies its table, makes loads wait, and may take "
    )
    by_hand = str(refused.value).partition("deploy again: ")[2]
    assert by_hand.startswith("ALTER TABLE notes MODIFY COLUMN text MEDIUMTEXT")
    schema.sql(by_hand)
    assert migrate(schema, LONG) == ()


def test_the_estimate_follows_the_size_of_the_table(schema: Migrated, monkeypatch: pytest.MonkeyPatch) -> None:
    [(size,)] = schema.sql(
        "SELECT data_length + index_length FROM information_schema.tables WHERE table_schema = %s "
        "AND table_name = 'notes'",
        schema.schema,
    )
    monkeypatch.setattr(alter, "COPY_BYTES_PER_SECOND", int(size) // 40)
    with pytest.raises(MigrationRefused, match=r"may take 40 seconds for its 0\.0 GB"):
        migrate(schema, LONG, 30)
    assert migrate(schema, LONG, 50) == (f"{COPIED} (ALGORITHM=COPY, LOCK=SHARED)",)


def test_an_online_change_is_never_refused(schema: Migrated, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alter, "COPY_BYTES_PER_SECOND", 1)
    assert migrate(schema, INDEXED) == ("alter notes: add index by-text (ALGORITHM=INPLACE, LOCK=NONE)",)


@pytest.mark.parametrize(
    ("resource", "allow_long", "description"),
    [(INDEXED, False, "alter notes: add index by-text"), (LONG, True, COPIED)],
    ids=["an index", "an allowed copy"],
)
def test_a_change_that_outlasts_the_function_goes_on_in_the_database(
    schema: Migrated, resource: Resource, description: str, *, allow_long: bool
) -> None:
    with long_read(schema):
        with pytest.raises(MigrationFailed) as outlasting:
            migrate(schema, resource, 1.5, allow_long=allow_long)
        assert str(outlasting.value) == (
            f"This change takes longer than the function may run and goes on in the database: {description}. Deploy "
            "again after it."
        )
        with pytest.raises(MigrationFailed, match=r"still running, its statement for \d+ seconds; deploy again"):
            migrate(schema, resource, allow_long=allow_long)
    wait_for_the_change(schema)
    assert migrate(schema, resource) == ()
    assert schema.sql("SELECT COUNT(*) FROM notes WHERE text = 'kept'") == [(2000,)]


@pytest.mark.usefixtures("short_time")
def test_a_copy_that_is_slower_than_the_estimate_ends_with_the_function(schema: Migrated) -> None:
    with long_read(schema), pytest.raises(MigrationFailed) as ended:
        migrate(schema, LONG)
    assert "took longer than the function may run, so it was ended" in str(ended.value)
    assert "deploy again: ALTER TABLE notes MODIFY COLUMN text MEDIUMTEXT" in str(ended.value)
    wait_for_the_change(schema)
    assert schema.columns("notes")["text"][0] == "varchar(20)"


def test_a_copy_that_was_predicted_as_online_is_refused_by_its_size_too(
    schema: Migrated, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sluice.schema.ddl._copies", lambda _change: False)
    monkeypatch.setattr(alter, "COPY_BYTES_PER_SECOND", 1000)
    with pytest.raises(MigrationFailed, match="copies its table, makes loads wait, and may take"):
        migrate(schema, LONG)
    assert schema.columns("notes")["text"][0] == "varchar(20)"


def test_loads_and_reads_continue_during_an_online_change(schema: Migrated) -> None:
    """The change waits at its end for a transaction; it has not locked the table before."""
    schema.sql("INSERT INTO notes SELECT '', UUID(), '', NOW(), 0, 'kept' FROM seq_1_to_200000")
    failures: list[Exception] = []

    def change() -> None:
        try:
            migrate(schema, INDEXED)
        except Exception as error:  # noqa: BLE001  the thread reports it
            failures.append(error)

    thread = threading.Thread(target=change)
    thread.start()
    written = 0
    while thread.is_alive():
        schema.sql("INSERT INTO notes SELECT '', UUID(), '', NOW(), 0, 'during'")
        written += 1
    thread.join()
    assert failures == []
    assert written > 1
    assert schema.sql("SELECT COUNT(*) FROM notes WHERE text = 'during'") == [(written,)]
