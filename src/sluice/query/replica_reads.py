"""One read: the replicas that it asks, until one answers that is not older than what the client and this environment
have seen.

Three things bound the state of an answer from below. The floor is a moment that the client sends: an older state is
never the answer. What this environment has shown before, of addresses with the same home replica, and what the read
itself calls complete, are waited for shortly; then the freshest answer counts, because an old answer is better than
none.
"""

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

import pymysql

from sluice.db.connection import Queries
from sluice.errors import DATABASE_ERRORS
from sluice.http.problem import Problem
from sluice.observability import describe_error
from sluice.query.replica_set import Replica, ReplicaSet
from sluice.query.statements import read_one_state

# How long a read waits for a state that the client, or this environment, has seen.
SHORT_WAIT_SECONDS = 1.0
FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS = 0.05, 0.5
# Well below API Gateway's 29 seconds, with the time of a last statement on a replica that hangs.
MAX_READ_SECONDS = 15.0

T = TypeVar("T")


class ReplicaAnswer(NamedTuple, Generic[T]):
    """What one replica answered, and the moment of that state."""

    result: T
    moment: str


class ReplicaReads:
    """The reads of one request. `address` decides on the home replica, `floor` is the client's moment or empty, and
    `wait_seconds` are those that the client prefers.

    `moment` is that of the first result, which is what a response shows: an empty text if it is unknown, None if there
    is no result. Later results do not change it.
    """

    def __init__(self, replicas: ReplicaSet, address: str, floor: str = "", wait_seconds: float = 0.0) -> None:
        self._replicas, self._ranking = replicas, replicas.rank(address)
        self.floor, self._wait_seconds = floor, wait_seconds
        self.moment: str | None = None

    def read(self, select: Callable[[Queries], T], is_complete: Callable[[T], bool] | None = None) -> T:
        """Read with the statements of `select` from one replica, and return its result.

        If no replica has a complete result in time, return the freshest one. Raises Problem 425 if no replica reaches
        the floor in time, and if none answers, the errors of `sluice.db.errors`.
        """
        home = self._ranking[0]
        floor = max(self.floor, home.shown) if self._replicas.has_choice else self.floor

        def is_enough(answer: ReplicaAnswer[T]) -> bool:
            return answer.moment >= floor and (is_complete is None or is_complete(answer.result))

        wait_seconds = max(SHORT_WAIT_SECONDS, self._wait_seconds)
        answer = self._poll(lambda: self._ranking, select, is_enough, wait_seconds, is_patient=False)
        if answer.moment < self.floor:
            raise too_early_problem()
        # A state that is older than what was shown is so once: the next reads do not wait for the newer one again.
        home.shown = answer.moment
        self._add_moment(answer.moment)
        return answer.result

    def read_version(self, select: Callable[[Queries], T | None]) -> T | None:
        """Read until a replica returns a result, at most for the seconds that the client prefers. None: none did.

        Asks every replica, the one with the newest moment first. One that is unavailable may recover while the client
        waits. Raises Problem 425 as above, and the errors of `sluice.db.errors` if no replica answers.
        """

        def is_enough(answer: ReplicaAnswer[T | None]) -> bool:
            return answer.result is not None and answer.moment >= self.floor

        def order() -> list[Replica]:
            return sorted(self._ranking, key=lambda replica: replica.moment, reverse=True)

        answer = self._poll(order, select, is_enough, self._wait_seconds, is_patient=True)
        if answer.result is None:
            return None
        if answer.moment < self.floor:
            raise too_early_problem()
        self._record_shown(answer.moment)
        self._add_moment(answer.moment)
        return answer.result

    def add_cached(self, stored_moment: str, confirmed_moment: str) -> None:
        """Add a result of the cache. A replica showed it at one moment, and until the other no load has changed it.

        The response names the later one: with an earlier one, the client could be shown next what was before it.
        """
        self._record_shown(stored_moment)
        self._add_moment(max(stored_moment, confirmed_moment))

    def forget_moment(self) -> None:
        """Name no moment: the response shows nothing, because the client, or CloudFront, has a later state."""
        self.moment = None

    def _record_shown(self, moment: str) -> None:
        home = self._ranking[0]
        home.shown = max(home.shown, moment)

    def _add_moment(self, moment: str) -> None:
        if self.moment is None:
            self.moment = moment

    def _poll(
        self,
        order: Callable[[], list[Replica]],
        select: Callable[[Queries], T],
        is_enough: Callable[[ReplicaAnswer[T]], bool],
        wait_seconds: float,
        *,
        is_patient: bool,
    ) -> ReplicaAnswer[T]:
        """Ask the replicas until an answer is enough: at once, at growing intervals, and a last time at the end.

        Return the freshest answer if none is. Without any, raise the first error. If `is_patient`, raise it at the end
        only, and ask no more than one replica that answers, except at once and at the end: a wait can take long.
        """
        replicas = self._replicas
        started, pause, asks_all = replicas.clock(), FIRST_PAUSE_SECONDS, True
        while True:
            freshest, is_done, error = self._ask_replicas(order(), select, is_enough, started, asks_all=asks_all)
            if freshest and is_done:
                return freshest
            remaining = started + wait_seconds - replicas.clock()
            is_over = remaining <= 0 and asks_all
            if freshest and is_over:
                return freshest
            if error and not freshest and (is_over or not is_patient):
                raise error
            if remaining > 0:
                replicas.sleep(min(remaining, replicas.uniform(pause / 2, pause)))
                pause = min(pause * 1.5, MAX_PAUSE_SECONDS)
            asks_all = not is_patient or replicas.clock() >= started + wait_seconds

    def _ask_replicas(
        self,
        ranking: list[Replica],
        select: Callable[[Queries], T],
        is_enough: Callable[[ReplicaAnswer[T]], bool],
        started: float,
        *,
        asks_all: bool,
    ) -> tuple[ReplicaAnswer[T] | None, bool, Exception | None]:
        """Ask one replica after the other until an answer is enough, or until one answers if not `asks_all`.

        Return that answer or else the freshest, whether it is enough, and the first error.
        """
        replicas, freshest, first_error = self._replicas, None, None
        remaining = replicas.select_candidates(ranking)
        tried: list[Replica] = []
        while remaining and (not tried or replicas.clock() - started < MAX_READ_SECONDS):
            replica = remaining[0]
            tried.append(replica)
            try:
                result, moment = read_one_state(replica.database, select)
            # Any other error of the driver is the replica's too: the statements are the same for all.
            except (*DATABASE_ERRORS, pymysql.Error) as error:
                first_error = first_error or error
                replicas.skip(replica, describe_error(error)["error"], has_failed=True)
            else:
                answer = ReplicaAnswer(result, moment)
                if replicas.record_answer(replica, moment) and is_enough(answer):
                    return answer, True, None
                if freshest is None or moment > freshest.moment:
                    freshest = answer
                if not asks_all:
                    break
            remaining = [other for other in replicas.select_candidates(ranking) if other not in tried]
        return freshest, False, first_error


def too_early_problem() -> Problem:
    """Create the problem of a floor that no replica has reached."""
    detail = "No replica has reached the moment of the header Sluice-As-Of yet."
    return Problem(425, detail, headers={"Retry-After": "1"})
