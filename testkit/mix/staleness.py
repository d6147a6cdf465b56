"""How old the states were that reads showed, compared with the moment at which the replica had a later one."""

import threading
import time
from collections.abc import Mapping
from typing import Any

from local.stack import Stack
from testkit.mix.player import COLLECTION, Reading, Recording, Written

POLL_SECONDS = 0.1


class ArrivalWatch:
    """Asks the replica for each write that was accepted until it is there. `seen` has the moments by write number.

    A moment is at most one interval later than the arrival, so a read that is too old by these moments certainly is.
    """

    def __init__(self, stack: Stack, writes: dict[int, Written]) -> None:
        self.seen: dict[int, float] = {}
        self._writes = writes
        self._connection = stack.servers.replica.connect_as_root()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Return when the thread has ended."""
        self._stop.set()
        self._thread.join()
        self._connection.close()

    def count_missing(self) -> int:
        """How many accepted writes the replica was not seen to have."""
        return len(self._writes.keys() - self.seen.keys())

    def _watch(self) -> None:
        while not self._stop.wait(POLL_SECONDS):
            open_writes = {number: write for number, write in self._writes.copy().items() if number not in self.seen}
            if not open_writes:
                continue
            present = self._read_versions([write.item for write in open_writes.values()])
            now = time.monotonic()
            for number, write in open_writes.items():
                if present.get(write.item, "") >= write.version:
                    self.seen[number] = now

    def _read_versions(self, items: list[str]) -> dict[str, str]:
        marks = ", ".join(["%s"] * len(items))
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"SELECT id, version FROM sluice.{COLLECTION} WHERE owner = '' AND id IN ({marks})",
                items,
            )
            rows: Any = cursor.fetchall()
        return dict(rows)


def measure_ages(recording: Recording, seen: Mapping[int, float]) -> list[float]:
    """For each read that showed an older state than the replica had: for how many seconds the replica had had it."""
    arrivals: dict[str, list[tuple[float, str]]] = {}
    for number, moment in seen.items():
        write = recording.writes[number]
        arrivals.setdefault(write.item, []).append((moment, write.version))
    return [age for reading in recording.readings if (age := _measure_age(reading, arrivals)) > 0]


def _measure_age(reading: Reading, arrivals: Mapping[str, list[tuple[float, str]]]) -> float:
    moments = [
        moment
        for item, version in reading.versions.items()
        for moment, later in arrivals.get(item, ())
        if later > version
    ]
    return reading.started - min(moments) if moments else 0.0


def count_older_than_asked(recording: Recording) -> int:
    """How many reads with `?version=` showed an older version than they asked for."""
    return sum(
        reading.versions[reading.step.target] < recording.writes[reading.step.write_number].version
        for reading in recording.readings
        if reading.step.kind == "own" and reading.status == 200
    )
