"""Which replica answers a read: the home replica of its address, or while that is skipped, the next in the ranking.

Rendezvous hashing ranks the replicas for each address (an item or a list), in every environment alike. So one replica
answers an address, and it shows states in order: an address never goes back while its home replica answers
(ADR-0157). A replica that fails, or lacks what others have shown for MAX_LAG_SECONDS, is skipped for a time that
doubles up to MAX_SKIP_SECONDS.

A moment is a text of `sluice.db.moment`; an empty text is an unknown one. Times are seconds of the clock.
"""

import hashlib
import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple

from sluice.db.connection import Database, DatabaseAccess
from sluice.observability import add_log_fields, emit_metric_of
from sluice.settings import DatabaseSettings

# Well below API Gateway's 29 seconds: clients learn soon that the only replica does not answer.
STATEMENT_TIMEOUT_SECONDS = 10
# With several replicas, a read goes on with the next one.
SHORT_STATEMENT_TIMEOUT_SECONDS, SHORT_CONNECT_TIMEOUT_SECONDS = 4, 2
FIRST_SKIP_SECONDS, MAX_SKIP_SECONDS = 1.0, 30.0
# Far above the usual lag, and above the time that a load of some MB takes on one replica and not yet on another; far
# below the time of Firehose's buffer, which is the age that clients expect.
MAX_LAG_SECONDS = 10.0
# Moments that are seen within this time count as seen together, which limits the number to remember.
SIGHTING_SECONDS = 1.0
SKIPPED_METRIC = "ReplicaSkipped"


def create_databases(servers: Sequence[DatabaseSettings]) -> list[Database]:
    """Create the databases of a reading function, which connect on first use, with the same secret."""
    if len(servers) == 1:
        return [Database(servers[0], statement_timeout_seconds=STATEMENT_TIMEOUT_SECONDS)]
    access = DatabaseAccess(servers[0].database_secret_arn)
    return [
        Database(
            server,
            access=access,
            statement_timeout_seconds=SHORT_STATEMENT_TIMEOUT_SECONDS,
            connect_timeout_seconds=SHORT_CONNECT_TIMEOUT_SECONDS,
        )
        for server in servers
    ]


class Sighting(NamedTuple):
    """When this environment first saw a moment."""

    at: float
    moment: str


class Replica:
    """One replica, as this environment knows it.

    `moment` is the newest moment that it has shown. `shown` is the newest moment that this environment has shown of the
    addresses whose home it is, whichever replica answered.
    """

    def __init__(self, name: str, database: Database) -> None:
        self.name, self.database = name, database
        self.moment = self.shown = ""
        self.skipped_until = 0.0
        self.skip_seconds = FIRST_SKIP_SECONDS
        self.has_failed = False
        self._hash = hashlib.blake2b(database.endpoint.encode(), digest_size=8)

    def score(self, address: bytes) -> bytes:
        """The score of this replica for an address: the greatest one makes it the home."""
        score = self._hash.copy()
        score.update(address)
        return score.digest()


class ReplicaSet:
    """The replicas of a reading function, in the order of its endpoints."""

    def __init__(
        self,
        databases: Sequence[Database],
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        uniform: Callable[[float, float], float] = random.uniform,
    ) -> None:
        self.replicas = [Replica(f"replica-{number}", database) for number, database in enumerate(databases, 1)]
        self.has_choice = len(self.replicas) > 1
        self.clock, self.sleep, self.uniform = clock, sleep, uniform
        self._sightings: deque[Sighting] = deque()
        self._newest = self._overdue = ""
        self._last_skip_ends_at = 0.0

    def rank(self, address: str) -> list[Replica]:
        """Rank the replicas for an address: its home first."""
        if not self.has_choice:
            return self.replicas
        encoded = address.encode()
        return sorted(self.replicas, key=lambda replica: replica.score(encoded), reverse=True)

    def select_candidates(self, ranking: Sequence[Replica]) -> Sequence[Replica]:
        """Select the replicas to ask, in order: without those that failed lately, unless all did."""
        now = self.clock()
        if self._last_skip_ends_at <= now:
            return ranking
        skipped = [replica for replica in ranking if replica.skipped_until > now]
        # Who lagged can have what is needed now, and costs only a statement. Who failed can cost seconds.
        lagging = [replica for replica in skipped if not replica.has_failed]
        return [replica for replica in ranking if replica not in skipped] + lagging or skipped

    def record_answer(self, replica: Replica, moment: str) -> bool:
        """Record the moment that a replica shows. Return whether it keeps up with the others; skip it if not."""
        if not self.has_choice:
            return True
        now = self.clock()
        replica.moment = max(replica.moment, moment)
        if moment > self._newest:
            self._newest, at = moment, now
            if self._sightings and now - self._sightings[-1].at < SIGHTING_SECONDS:
                at = self._sightings.pop().at
            self._sightings.append(Sighting(at, moment))
        while self._sightings and self._sightings[0].at <= now - MAX_LAG_SECONDS:
            self._overdue = self._sightings.popleft().moment
        if moment < self._overdue:
            self.skip(replica, "it lacks what other replicas have", has_failed=False)
            return False
        if replica.skipped_until <= now:
            replica.skip_seconds, replica.has_failed = FIRST_SKIP_SECONDS, False
        return True

    def skip(self, replica: Replica, reason: str, *, has_failed: bool) -> None:
        """Skip a replica for a while. A replica without others is never skipped."""
        if not self.has_choice:
            return
        now = self.clock()
        add_log_fields(skipped={"replica": replica.name, "reason": reason})
        if replica.skipped_until <= now:
            emit_metric_of(SKIPPED_METRIC, Replica=replica.name)
            replica.skipped_until = now + self.uniform(replica.skip_seconds / 2, replica.skip_seconds)
            replica.skip_seconds = min(replica.skip_seconds * 2, MAX_SKIP_SECONDS)
            self._last_skip_ends_at = max(self._last_skip_ends_at, replica.skipped_until)
        replica.has_failed = has_failed
