"""Which moment the statements of one read on one replica show: that of one state, or none."""

from typing import Any

import pytest

from sluice.db.connection import Queries
from sluice.db.moment import MOMENT_COLUMN, format_moment, parse_moment
from sluice.query.statements import read_one_state

FIRST, SECOND = "2026-11-29T17:00:03.999999", "2026-11-29T18:00:00.000000"


class Server:
    """A replica that applies the next state of `states` before the statement of that number."""

    def __init__(self, states: dict[int, str] | None = None, *, has_rows: bool = True) -> None:
        self.moment, self.has_rows = FIRST, has_rows
        self._states = states or {}
        self._snapshot: str | None = None
        self.statements: list[str] = []
        self.is_dropped = self.loses_snapshots = False

    def query(self, statement: str, _values: tuple[Any, ...], *, is_frequent: bool = False) -> list[dict[str, Any]]:
        self.statements.append(statement)
        self.moment = self._states.get(len(self.statements), self.moment)
        match statement.split(maxsplit=1)[0]:
            case "START":
                self._snapshot = None if self.loses_snapshots else self.moment
                return []
            case "COMMIT":
                self._snapshot = None
                return []
        moment = (self.moment if self._snapshot is None else self._snapshot) or None
        if "row_count" in statement:
            return [{MOMENT_COLUMN: moment, "row_count": int(self.has_rows)}]
        if "broken" in statement:
            raise ConnectionError
        return [{MOMENT_COLUMN: moment}] if self.has_rows and "nothing" not in statement else []

    def drop_connection(self) -> None:
        self.is_dropped = True


def read(server: Server, *statements: str) -> str:
    def select(database: Queries) -> int:
        return sum(len(database.query(statement, ())) for statement in statements)

    database: Any = server
    return read_one_state(database, select)[1]


def test_rows_show_their_moment_in_one_statement() -> None:
    server = Server({2: SECOND})
    assert read(server, "SELECT rows") == FIRST
    assert read(server, "SELECT rows") == SECOND
    assert server.statements == ["SELECT rows", "SELECT rows"]


def test_without_rows_one_more_statement_reads_the_moment_and_verifies_that_there_are_none() -> None:
    server = Server({2: SECOND}, has_rows=False)
    assert read(server, "SELECT rows") == SECOND
    assert ["FROM (SELECT rows)" in statement for statement in server.statements] == [False, True]


def test_rows_that_arrive_before_the_moment_is_read_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    server = Server(has_rows=False)
    query = server.query

    def query_and_load(statement: str, values: tuple[Any, ...], **options: Any) -> list[dict[str, Any]]:
        rows = query(statement, values, **options)
        server.has_rows, server.moment = True, SECOND
        return rows

    monkeypatch.setattr(server, "query", query_and_load)
    assert read(server, "SELECT rows") == SECOND
    assert len(server.statements) == 3


def test_statements_that_show_two_states_are_repeated_in_one_snapshot() -> None:
    server = Server({2: SECOND, 5: "2026-11-29T19:00:00.000000"})
    assert read(server, "SELECT rows", "SELECT others") == SECOND
    assert [statement.split()[0] for statement in server.statements[2:]] == ["START", "SELECT", "SELECT", "COMMIT"]
    assert not server.is_dropped


def test_statements_of_one_state_are_not_repeated() -> None:
    server = Server()
    assert read(server, "SELECT rows", "SELECT others") == FIRST
    assert len(server.statements) == 2


def test_a_snapshot_that_is_lost_with_its_connection_leaves_the_moment_unknown() -> None:
    server = Server({2: SECOND, 5: "2026-11-29T19:00:00.000000"})
    server.loses_snapshots = True
    assert read(server, "SELECT rows", "SELECT others") == ""


def test_an_error_in_a_snapshot_ends_it() -> None:
    server = Server({2: SECOND})
    calls = iter(["SELECT others", "SELECT broken"])

    def select(database: Queries) -> None:
        database.query("SELECT rows", ())
        database.query(next(calls), ())

    database: Any = server
    with pytest.raises(ConnectionError):
        read_one_state(database, select)
    assert server.is_dropped


def test_a_replica_without_a_moment_has_none() -> None:
    server = Server()
    server.moment = ""
    assert read(server, "SELECT rows") == ""
    server.has_rows = False
    assert read(server, "SELECT rows") == ""


def test_clients_see_a_moment_to_the_microsecond() -> None:
    assert format_moment(FIRST) == "2026-11-29T17:00:03.999999Z"
    assert parse_moment(FIRST).isoformat() == "2026-11-29T17:00:03.999999+00:00"
