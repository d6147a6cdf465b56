"""Which replica answers, what a read waits for, and what is skipped: with a clock that the test moves."""

import itertools
from collections import Counter
from collections.abc import Callable
from typing import Any

import pymysql
import pytest

from sluice.aws.secrets import Credentials
from sluice.db.moment import MOMENT_COLUMN
from sluice.errors import AccessDenied, DatabaseUnavailable, SchemaOutdated
from sluice.http.problem import Problem
from sluice.query.replica_reads import ReplicaReads
from sluice.query.replica_set import (
    FIRST_SKIP_SECONDS,
    MAX_LAG_SECONDS,
    MAX_SKIP_SECONDS,
    ReplicaSet,
    create_databases,
)
from sluice.settings import DatabaseSettings

Rows = list[dict[str, Any]]


def moment(number: int) -> str:
    return f"2026-11-29T17:00:00.{number:06}"


class Server:
    """A replica that has reached a moment, fails, or takes time to."""

    def __init__(self, number: int, clock: "Clock") -> None:
        self.endpoint = f"replica-{number}.example:3306"
        self.moment = moment(1)
        self.error: Exception | None = None
        self.seconds = 0.0
        self.row: dict[str, Any] | None = {}
        self.asked = 0
        self._clock = clock

    def set(self, **values: Any) -> None:
        vars(self).update(values)

    def query(self, statement: str, _values: tuple[Any, ...], *, is_frequent: bool = False) -> Rows:
        self.asked += 1
        self._clock.now += self.seconds
        if self.error:
            raise self.error
        if "row_count" in statement:
            return [{MOMENT_COLUMN: self.moment, "row_count": 0}]
        return [] if self.row is None else [{MOMENT_COLUMN: self.moment, "server": self, **self.row}]


class Clock:
    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []
        self._on_pause: Callable[[], object] = lambda: None

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds
        self._on_pause()

    def do_when(self, is_due: Callable[[], bool], do: Callable[[], None]) -> None:
        """Do something during a pause."""
        self._on_pause = lambda: do() if is_due() else None


class Environment:
    """A reading function with replicas. A read returns the server that answered."""

    def __init__(self, count: int) -> None:
        self.clock = Clock()
        self.servers = [Server(number, self.clock) for number in range(1, count + 1)]
        databases: Any = self.servers
        self.set = ReplicaSet(databases, self.clock, self.clock.sleep, lambda _low, high: high)

    def order(self, address: str) -> list[Server]:
        return [replica.database for replica in self.set.rank(address)]  # type: ignore[misc]

    def open(self, address: str = "a", floor: str = "", wait_seconds: float = 0) -> ReplicaReads:
        return ReplicaReads(self.set, address, floor, wait_seconds)

    def read(self, address: str = "a", floor: str = "", wait_seconds: float = 0) -> Server:
        reads = self.open(address, floor, wait_seconds)
        server: Server = reads.read(lambda database: database.query("SELECT", ()))[0]["server"]
        assert reads.moment == server.moment
        return server

    def read_version(self, wait_seconds: float = 0, floor: str = "") -> Server | None:
        def select(database: Any) -> Server | None:
            rows = database.query("SELECT", ())
            return rows[0]["server"] if rows else None

        return self.open("a", floor, wait_seconds).read_version(select)


@pytest.fixture(autouse=True)
def emitted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    names: list[str] = []
    monkeypatch.setattr("sluice.query.replica_set.emit_metric_of", lambda _name, Replica: names.append(Replica))  # noqa: N803
    return names


@pytest.fixture
def two() -> Environment:
    return Environment(2)


def test_addresses_spread_over_the_replicas_and_environments_agree() -> None:
    environment, other = Environment(3), Environment(3)
    homes = {address: environment.order(address)[0].endpoint for address in map(str, range(900))}
    assert homes == {address: other.order(address)[0].endpoint for address in homes}
    assert all(250 < count < 350 for count in Counter(homes.values()).values())
    # With a replica less, only its own addresses move.
    fewer = Environment(2)
    for address, home in homes.items():
        if home != environment.servers[2].endpoint:
            assert fewer.order(address)[0].endpoint == home


def test_the_home_answers_while_it_is_healthy(two: Environment) -> None:
    home, other = two.order("a")
    assert [two.read() for _ in range(3)] == [home] * 3
    assert (home.asked, other.asked) == (3, 0)


@pytest.mark.parametrize(
    "error",
    [
        DatabaseUnavailable("x"),
        AccessDenied("x"),
        SchemaOutdated("x"),
        pymysql.OperationalError(1877, "damaged"),
        pymysql.InternalError(9999, "unknown"),
    ],
    ids=repr,
)
def test_a_read_goes_on_with_the_next_replica_when_one_fails(
    two: Environment, error: Exception, emitted: list[str]
) -> None:
    home, other = two.order("a")
    home.error = error
    assert two.read() is other
    assert two.read() is other
    assert home.asked == 1
    assert emitted == [f"replica-{two.servers.index(home) + 1}"]
    assert two.clock.pauses == []


def test_a_replica_that_fails_is_asked_less_and_less_often_and_then_at_once(two: Environment) -> None:
    home, other = two.order("a")
    home.error = DatabaseUnavailable("x")
    asked_at = []
    while two.clock.now < 300:
        before = home.asked
        assert two.read() is other
        if home.asked > before:
            asked_at.append(two.clock.now)
        two.clock.now += 0.25
    pauses = [later - earlier for earlier, later in itertools.pairwise(asked_at)]
    assert pauses[:5] == [FIRST_SKIP_SECONDS * 2**number for number in range(5)]
    assert set(pauses[5:]) == {MAX_SKIP_SECONDS}
    home.error = None
    two.clock.now += MAX_SKIP_SECONDS
    assert two.read() is home
    home.error = DatabaseUnavailable("x")
    assert two.read() is other
    two.clock.now += FIRST_SKIP_SECONDS
    home.error = None
    assert two.read() is home


def test_when_all_fail_all_are_tried_and_the_first_error_is_raised(two: Environment) -> None:
    home, other = two.order("a")
    home.error, other.error = DatabaseUnavailable("first"), AccessDenied("second")
    for number in (1, 2):
        with pytest.raises(DatabaseUnavailable, match="first"):
            two.read()
        assert (home.asked, other.asked) == (number, number)
    assert two.clock.pauses == []
    other.error = None
    assert two.read() is other


def test_replicas_that_hang_do_not_use_up_the_time_of_a_request() -> None:
    five = Environment(5)
    for server in five.servers:
        server.error, server.seconds = DatabaseUnavailable("x"), 6
    started = five.clock.now
    with pytest.raises(DatabaseUnavailable):
        five.read()
    assert five.clock.now - started <= 18


def test_a_single_replica_is_never_skipped(emitted: list[str]) -> None:
    one = Environment(1)
    [server] = one.servers
    server.error = DatabaseUnavailable("x")
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable):
            one.read()
    server.error = None
    assert one.read() is server
    assert emitted == []


def test_a_substitute_that_has_reached_what_was_shown_answers_at_once_and_another_one_after_a_wait(
    two: Environment,
) -> None:
    home, other = two.order("a")
    home.moment = other.moment = moment(5)
    two.read()
    home.error = DatabaseUnavailable("x")
    assert two.read() is other
    assert two.clock.pauses == []
    home.error, home.moment = None, moment(7)
    two.clock.now += MAX_SKIP_SECONDS
    assert two.read() is home
    home.error = DatabaseUnavailable("x")
    two.clock.do_when(lambda: len(two.clock.pauses) == 3, lambda: other.set(moment=moment(7)))
    assert two.read() is other
    assert len(two.clock.pauses) == 3


def test_if_no_substitute_gets_there_the_freshest_answers_and_only_the_first_read_waits() -> None:
    three = Environment(3)
    home, second, third = three.order("a")
    home.moment, second.moment, third.moment = moment(9), moment(5), moment(6)
    three.read()
    home.error = DatabaseUnavailable("x")
    assert three.read() is third
    assert sum(three.clock.pauses) == pytest.approx(1)
    three.clock.pauses.clear()
    assert three.read() is third
    assert three.clock.pauses == []


def test_a_home_that_is_back_answers_when_it_has_what_was_shown_meanwhile(two: Environment) -> None:
    home, other = two.order("a")
    two.read()
    home.error, other.moment = DatabaseUnavailable("x"), moment(8)
    assert two.read() is other
    home.error = None
    two.clock.now += MAX_SKIP_SECONDS
    assert two.read() is other  # the home lacks it
    home.moment = moment(8)
    two.clock.now += MAX_SKIP_SECONDS
    assert two.read() is home


def test_a_replica_that_stands_is_skipped_until_it_has_what_others_have_shown(
    two: Environment, emitted: list[str]
) -> None:
    home, other = two.order("a")
    elsewhere = next(address for address in map(str, range(99)) if two.order(address)[0] is other)
    two.read()
    other.moment = moment(2)
    two.read(elsewhere)
    two.clock.now += MAX_LAG_SECONDS - 0.1
    assert two.read() is home
    two.clock.now += 0.2
    assert two.read() is other
    assert emitted == [f"replica-{two.servers.index(home) + 1}"]
    asked = home.asked
    assert two.read() is other
    assert home.asked == asked
    home.moment = moment(2)
    two.clock.now += FIRST_SKIP_SECONDS
    assert two.read() is home


def test_a_replica_that_stands_answers_when_the_others_fail(two: Environment) -> None:
    home, other = two.order("a")
    other.moment = moment(2)
    elsewhere = next(address for address in map(str, range(99)) if two.order(address)[0] is other)
    two.read(elsewhere)
    two.clock.now += MAX_LAG_SECONDS
    assert two.read() is other
    other.error = DatabaseUnavailable("x")
    assert two.read() is home


def test_a_floor_is_never_undercut(two: Environment) -> None:
    home, other = two.order("a")
    other.moment = moment(4)
    assert two.read(floor=moment(1)) is home
    assert two.read(floor=moment(4)) is other
    with pytest.raises(Problem) as raised:
        two.read(floor=moment(5))
    assert (raised.value.status, raised.value.headers["Retry-After"]) == (425, "1")
    assert sum(two.clock.pauses) == pytest.approx(1)


def test_a_floor_is_waited_for_as_long_as_the_client_prefers(two: Environment) -> None:
    home, other = two.order("a")
    two.clock.do_when(lambda: two.clock.now > 107, lambda: home.set(moment=moment(5)))
    assert two.read(floor=moment(5), wait_seconds=10) is home
    assert 107 < two.clock.now < 108
    home.error = other.error = DatabaseUnavailable("x")
    with pytest.raises(DatabaseUnavailable):
        two.read(floor=moment(1))


def test_an_incomplete_result_is_the_answer_only_if_no_replica_has_a_complete_one(two: Environment) -> None:
    home, other = two.order("a")

    def read() -> Any:
        rows = two.open().read(lambda database: database.query("", ()), lambda rows: "new" in rows[0])
        return rows[0]["server"]

    other.row = {"new": 1}
    assert read() is other
    other.row = {}
    two.clock.now = 100.0
    assert read() in (home, other)
    assert two.clock.now == pytest.approx(101)


@pytest.mark.parametrize("seconds", [0, 1, 10])
def test_a_version_is_looked_for_at_once_then_less_and_less_often_and_at_the_end(
    two: Environment, seconds: float
) -> None:
    for server in two.servers:
        server.row = None
    assert two.read_version(seconds) is None
    pauses = two.clock.pauses
    assert sum(pauses) == pytest.approx(seconds)
    assert all(0 < pause <= 0.5 for pause in pauses)
    assert len(pauses) <= 12 + seconds * 4
    assert seconds == 0 or pauses[0] <= 0.05


def test_a_version_is_asked_of_every_replica_the_freshest_first(two: Environment) -> None:
    home, other = two.order("a")
    home.row = None
    assert two.read_version() is other
    home.row, other.moment = {}, moment(3)
    two.read(next(address for address in map(str, range(99)) if two.order(address)[0] is other))
    assert two.read_version() is other
    # What was shown binds the next read of the address too.
    assert two.read() is other


def test_while_a_version_is_waited_for_the_freshest_replica_alone_is_asked(two: Environment) -> None:
    home, other = two.order("a")
    home.set(row=None)
    other.set(row=None, moment=moment(2))
    assert two.read_version(10) is None
    assert home.asked == 2 * 2  # without a row another statement asks for the moment
    assert other.asked == 2 * 25
    # A replica that answers first only at the end is asked then.
    two.clock.do_when(lambda: two.clock.now > 119.9, lambda: home.set(row={}, moment=moment(2)))
    assert two.read_version(10) is home


def test_while_the_freshest_replica_fails_a_version_is_looked_for_on_the_others(two: Environment) -> None:
    home, other = two.order("a")
    home.set(row=None)
    other.set(row=None, moment=moment(2))
    assert two.read_version() is None
    other.set(error=DatabaseUnavailable("x"))
    two.clock.do_when(lambda: two.clock.now > 102, lambda: home.set(row={}))
    assert two.read_version(10) is home
    assert two.clock.now < 103


def test_a_version_is_waited_for_while_replicas_are_unavailable(two: Environment) -> None:
    home, other = two.order("a")
    home.error = other.error = DatabaseUnavailable("x")
    two.clock.do_when(lambda: len(two.clock.pauses) == 4, lambda: other.set(error=None))
    assert two.read_version(5) is other
    other.error = DatabaseUnavailable("x")
    with pytest.raises(DatabaseUnavailable):
        two.read_version(2)


def test_a_version_below_the_floor_is_too_early(two: Environment) -> None:
    with pytest.raises(Problem) as raised:
        two.read_version(floor=moment(9))
    assert raised.value.status == 425


def test_a_cached_result_names_the_later_of_its_moments_and_binds_the_next_read(two: Environment) -> None:
    for stored, confirmed in ((moment(3), moment(2)), (moment(2), moment(3))):
        reads = two.open()
        reads.add_cached(stored, confirmed)
        assert reads.moment == moment(3)
    home, other = two.order("a")
    home.moment, other.moment = moment(2), moment(4)
    assert two.read() is other  # the home lacks what the cache showed


def test_the_first_result_names_the_moment_and_later_ones_decide_only(two: Environment) -> None:
    home, _ = two.order("a")
    reads = two.open()
    for number in (5, 6):
        home.moment = moment(number)
        reads.read(lambda database: database.query("SELECT", ()))
        assert reads.moment == moment(5)
    reads.forget_moment()
    assert reads.moment is None


def test_replicas_share_one_secret_which_is_read_again_only_when_a_server_rejects_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read: list[str] = []

    def read_credentials(arn: str) -> Credentials:
        read.append(arn)
        return Credentials("reader", str(len(read)))

    monkeypatch.setattr("sluice.db.connection.read_credentials", read_credentials)
    first, second = create_databases([DatabaseSettings("localhost", port, "sluice", "arn") for port in (1, 2)])
    assert first.access.read_credentials() == second.access.read_credentials() == Credentials("reader", "1")
    second.access.forget_credentials()
    assert first.access.read_credentials() == Credentials("reader", "2")
    assert read == ["arn", "arn"]
