"""Which moment holds for the statements of one read."""

from typing import Any

from sluice.db.moment import format_moment, parse_moment
from sluice.query.replica_reads import MOMENT_SECONDS, Replica, ReplicaReads

FIRST, SECOND = "2026-11-29T17:00:03.999999", "2026-11-29T18:00:00.000000"


class Server:
    """A replica that shows a moment, and whose connection may be lost before a statement."""

    def __init__(self) -> None:
        self.moment = FIRST
        self.connection_number = 0
        self.statements: list[str] = []
        self.lose_before = ""

    def query(self, statement: str, _values: tuple[Any, ...]) -> list[dict[str, Any]]:
        self.statements.append(statement)
        if not self.connection_number or (self.lose_before and self.lose_before in statement):
            self.connection_number += 1
        if "marks" not in statement:
            return []
        return [{"version": self.moment}] if self.moment else []


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def start(server: Server, clock: Clock) -> Replica:
    database: Any = server
    return Replica(database, clock)


def read(replica: Replica, *statements: str) -> str | None:
    reads = ReplicaReads(replica)
    for statement in statements or ("SELECT 1",):
        reads.query(statement, ())
    return reads.moment


def test_the_moment_is_read_once_in_a_while_and_before_the_rows() -> None:
    server, clock = Server(), Clock()
    replica = start(server, clock)
    assert read(replica, "SELECT 1", "SELECT 2") == FIRST
    server.moment = SECOND
    clock.now = MOMENT_SECONDS - 0.1
    assert read(replica) == FIRST
    assert ["marks" in statement for statement in server.statements] == [True, False, False, False]
    clock.now = MOMENT_SECONDS
    assert read(replica) == SECOND
    assert len(server.statements) == 6


def test_a_moment_does_not_hold_for_another_connection() -> None:
    server, clock = Server(), Clock()
    replica = start(server, clock)
    assert read(replica) == FIRST
    server.lose_before = "rows"
    # The rows may be those of another replica, which has less.
    assert read(replica, "SELECT rows") == ""
    server.lose_before = ""
    server.moment = SECOND
    assert read(replica) == SECOND
    server.lose_before = "rows of the second range"
    assert read(replica, "SELECT 1", "SELECT rows of the second range") == ""


def test_the_earliest_moment_counts_and_an_unknown_one_before_it() -> None:
    reads = ReplicaReads(start(Server(), Clock()))
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
    assert read(start(server, Clock())) == ""


def test_clients_see_a_moment_rounded_down() -> None:
    assert format_moment(FIRST) == "2026-11-29T17:00:03Z"
    assert parse_moment(FIRST).isoformat() == "2026-11-29T17:00:03.999999+00:00"
