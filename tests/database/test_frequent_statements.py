"""A connection prepares a frequent statement once, and its results are those of the statement as it is."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sluice.db.connection import Database
from tests.database.deployed import Root
from tests.database.rig import Rig
from tests.database.things import OWNER, put

Count = Callable[[str], int]

STATEMENT = "SELECT label, '100%%' AS share FROM things WHERE owner = %s AND id = %s"


@pytest.fixture
def warm(rig: Rig) -> Iterator[Database]:
    """The database with a connection of its own."""
    database = Database(rig.database._settings, statement_timeout_seconds=5, access=rig.database.access)
    yield database
    database.drop_connection()


@pytest.fixture
def count(warm: Database) -> Count:
    """Return a function that counts the commands of the connection, such as stmt_prepare."""

    def count_commands(name: str) -> int:
        [row] = warm.query("SHOW SESSION STATUS LIKE %s", (f"Com_{name}",))
        return int(row["Value"])

    return count_commands


def read(database: Database, item_id: str) -> list[dict[str, Any]]:
    return database.query(STATEMENT, (OWNER, item_id), is_frequent=True)


def change(rig: Rig, *statements: str) -> None:
    with rig.connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    rig.connection.commit()


def test_it_is_prepared_once(rig: Rig, warm: Database, count: Count) -> None:
    writes = [put({"label": label}) for label in ("it's", "100%", "ελληνικά")]
    rig.load(*writes)
    rows = [read(warm, write.id) for write in writes]
    assert [row for [row] in rows] == [{"label": label, "share": "100%"} for label in ("it's", "100%", "ελληνικά")]
    assert read(warm, "nothing") == []
    assert (count("prepare_sql"), count("execute_sql")) == (1, 4)


def test_several_are_prepared_apart(rig: Rig, warm: Database) -> None:
    write = put({"label": "first"})
    rig.load(write)
    other = STATEMENT.replace("label", "UPPER(label) AS label")
    for _ in range(2):
        assert read(warm, write.id)[0]["label"] == "first"
        assert warm.query(other, (OWNER, write.id), is_frequent=True)[0]["label"] == "FIRST"


def test_a_table_may_change_or_be_replaced_meanwhile(rig: Rig, warm: Database) -> None:
    write = put({"label": "first"})
    rig.load(write)
    rows = read(warm, write.id)
    change(rig, "ALTER TABLE things ADD COLUMN other INT NULL FIRST, MODIFY label VARCHAR(80) NOT NULL")
    assert read(warm, write.id) == rows
    change(
        rig,
        "CREATE TABLE newer LIKE things",
        "INSERT INTO newer SELECT * FROM things",
        "UPDATE newer SET label = 'replaced'",
        "RENAME TABLE things TO older, newer TO things",
    )
    assert read(warm, write.id)[0]["label"] == "replaced"


def test_a_new_connection_prepares_it_again(rig: Rig, root: Root, warm: Database) -> None:
    write = put({"label": "first"})
    rig.load(write)
    rows = read(warm, write.id)
    [connection] = warm.query("SELECT CONNECTION_ID() AS id", ())
    root.run(f"KILL {connection['id']}")
    assert read(warm, write.id) == rows


def test_at_the_limit_of_the_server_it_runs_as_it_is(rig: Rig, root: Root, warm: Database, count: Count) -> None:
    write = put({"label": "first"})
    rig.load(write)
    root.run("SET GLOBAL max_prepared_stmt_count = 0")
    try:
        rows = [read(warm, write.id) for _ in range(2)]
    finally:
        root.run("SET GLOBAL max_prepared_stmt_count = DEFAULT")
    assert [row["label"] for [row] in rows] == ["first", "first"]
    assert (count("prepare_sql"), count("execute_sql")) == (1, 0)
