"""A game day: the primary fails over under steady writes, and everything that was accepted arrives."""

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ops.errors import CommandError
from ops.output import format_count
from ops.service import MAX_ATTEMPTS
from ops.times import format_duration
from ops.verify.check import Check, CheckFailed
from ops.verify.outage import Outage
from ops.verify.round_trip import wait_until_applied
from ops.verify.subject import OwnWrite, Subject

WRITERS = 4
# Each writer waits so long between two writes: together about 8 a second.
PAUSE_SECONDS = 0.5
# Writes before and after the outage.
STEADY_SECONDS = 10.0
# The schedule recovers at the latest, whatever event is lost; a load then retries for minutes.
RECOVERY_MARGIN_SECONDS = 900.0


class SteadyWrites:
    """Writers that POST new items until they are stopped, and repeat what the service asks to repeat."""

    def __init__(self, subject: Subject, first: OwnWrite) -> None:
        self._subject = subject
        self._collection = first.collection
        self.accepted: list[OwnWrite] = []
        self.refused: Counter[str] = Counter()
        self._stopped = threading.Event()

    def run(self) -> None:
        """Write until `stop`."""
        while not self._stopped.wait(PAUSE_SECONDS):
            try:
                answer, trace = self._subject.send_item(self._collection, self._collection.copy_example(), MAX_ATTEMPTS)
            except CommandError as error:
                self.refused[error.message.rstrip(".")] += 1
                continue
            if answer.status == 202:
                self.accepted.append(self._subject.parse_write(self._collection, answer, trace))
            else:
                self.refused[answer.describe()] += 1

    def stop(self) -> None:
        self._stopped.set()


def create_check(outage: Outage) -> Check:
    """The check of a game day with this outage."""
    return Check("game-day", "an outage of the primary loses no accepted write", partial(run_game_day, outage=outage))


def run_game_day(subject: Subject, outage: Outage) -> str:
    """Write steadily, make the outage, and compare the version of every accepted write with what GET returns."""
    first = subject.own_write()
    if first.collection.key:
        raise CheckFailed(
            f"A game day writes many new items, and the ids of {first.collection.name} are not the service's own.",
            "Give --collection with a collection whose ids the service chooses.",
        )
    wait_until_applied(subject, first)
    writes = SteadyWrites(subject, first)
    with ThreadPoolExecutor(WRITERS) as executor:
        writers = [executor.submit(writes.run) for _ in range(WRITERS)]
        try:
            subject.sleep(STEADY_SECONDS)
            started, before = time.monotonic(), len(writes.accepted)
            description = outage(subject)
            outage_seconds, during = time.monotonic() - started, len(writes.accepted) - before
            subject.sleep(STEADY_SECONDS)
        finally:
            writes.stop()
        for writer in writers:
            writer.result()
    accepted = list(writes.accepted)
    seconds = _wait_until_all_arrived(subject, accepted)
    _require_everything_accepted(writes)
    return (
        f"{description} in {format_duration(outage_seconds)}: {format_count(len(accepted), 'write')} accepted, "
        f"{during} of them meanwhile, none refused; each is read with its version {format_duration(seconds)} later"
    )


def _wait_until_all_arrived(subject: Subject, accepted: list[OwnWrite]) -> float:
    """Wait until every write is read. Returns the seconds that took. Raises CheckFailed with a version that is lost."""
    started, remaining = time.monotonic(), list(accepted)
    limit = subject.read_seconds("RecoveryMinutes") * 60 + subject.load_seconds + RECOVERY_MARGIN_SECONDS

    def is_complete() -> bool:
        """Read the oldest writes first, and stop where none has arrived: the edge limits the requests of an address."""
        late: list[OwnWrite] = []
        with ThreadPoolExecutor(WRITERS) as executor:
            while remaining:
                chunk = remaining[:WRITERS]
                arrived = list(executor.map(partial(_has_arrived, subject), chunk))
                late += [write for write, is_read in zip(chunk, arrived, strict=True) if not is_read]
                del remaining[:WRITERS]
                if not any(arrived):
                    break
        remaining[:0] = late
        return not remaining

    subject.wait_until(
        is_complete,
        limit,
        lambda: CheckFailed(
            f"{format_count(len(remaining), 'accepted write')} of {len(accepted)} cannot be read {limit:.0f} s "
            f"after the outage (first {remaining[0].path}, version {remaining[0].version}).",
            "See `sluice status`; `sluice recover --wait` loads what is missing.",
        ),
    )
    return time.monotonic() - started


def _has_arrived(subject: Subject, write: OwnWrite) -> bool:
    answer = subject.client().request("GET", write.path, attempts=MAX_ATTEMPTS)
    return bool(answer.status == 200 and answer.document["version"] == write.version)


def _require_everything_accepted(writes: SteadyWrites) -> None:
    if writes.refused:
        [(reason, count), *_] = writes.refused.most_common()
        raise CheckFailed(
            f"{writes.refused.total()} of {len(writes.accepted) + writes.refused.total()} writes were refused, "
            f"{count} with {reason}.",
            "See the logs of PostFunction; an outage of the database must not reach it.",
        )
