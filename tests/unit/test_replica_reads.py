"""Which moment holds for the statements of one read."""

from typing import Any

from sluice.db.moment import MOMENT_COLUMN, format_moment, parse_moment
from sluice.query.replica_reads import ReplicaReads

FIRST, SECOND = "2026-11-29T17:00:03.999999", "2026-11-29T18:00:00.000000"


class Server:
    """A replica with rows, that shows a moment, and whose connection may be lost before a statement."""

    def __init__(self) -> None:
        self.moment = FIRST
        self.connection_number = 0
        self.statements: list[str] = []
        self.lose_before = ""

    def query(self, statement: str, _values: tuple[Any, ...]) -> list[dict[str, Any]]:
        self.statements.append(statement)
        if not self.connection_number or (self.lose_before and self.lose_before in statement):
            self.connection_number += 1
        if "marks" in statement:
            return [{"version": self.moment}] if self.moment else []
        return [] if "nothing" in statement else [{MOMENT_COLUMN: self.moment or None}]


def start(server: Server) -> ReplicaReads:
    database: Any = server
    return ReplicaReads(database)


def read(server: Server, *statements: str) -> str | None:
    reads = start(server)
    for statement in statements:
        reads.query(statement, ())
    return reads.moment


def test_rows_show_their_own_moment() -> None:
    server = Server()
    assert read(server, "SELECT rows") == FIRST
    server.moment = SECOND
    assert read(server, "SELECT rows") == SECOND
    assert server.statements == ["SELECT rows", "SELECT rows"]


def test_without_rows_the_moment_is_read_before_the_rows() -> None:
    server = Server()
    assert read(server, "SELECT nothing") == FIRST
    assert ["marks" in statement for statement in server.statements] == [False, True, False]


def test_an_earlier_result_of_the_connection_has_a_moment_that_holds() -> None:
    server = Server()
    assert read(server, "SELECT rows", "SELECT nothing") == FIRST
    assert len(server.statements) == 2


def test_a_moment_does_not_hold_for_another_connection() -> None:
    server = Server()
    # The last result may be that of another replica, which has less.
    server.lose_before = "nothing"
    assert read(server, "SELECT nothing") == ""
    server = Server()
    reads = start(server)
    reads.query("SELECT rows", ())
    server.lose_before, server.moment = "SELECT nothing", ""
    reads.query("SELECT nothing", ())
    assert reads.moment == ""


def test_the_earliest_moment_counts_and_an_unknown_one_before_it() -> None:
    reads = start(Server())
    assert reads.moment is None
    reads.add_moment(SECOND)
    assert reads.moment == SECOND
    reads.add_moment(FIRST)
    assert reads.moment == FIRST
    reads.add_moment("")
    assert reads.moment == ""
    reads.add_moment(SECOND)
    assert reads.moment == ""
    reads.forget_moments()
    assert reads.moment is None
    reads.add_moment(SECOND)
    assert reads.moment == SECOND


def test_a_replica_without_a_moment_has_none() -> None:
    server = Server()
    server.moment = ""
    assert read(server, "SELECT rows") == ""
    assert read(server, "SELECT nothing") == ""


def test_clients_see_a_moment_to_the_microsecond() -> None:
    assert format_moment(FIRST) == "2026-11-29T17:00:03.999999Z"
    assert parse_moment(FIRST).isoformat() == "2026-11-29T17:00:03.999999+00:00"
