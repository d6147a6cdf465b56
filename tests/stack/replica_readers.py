"""Readers of one collection through the public address, and what they saw: whether any state was older than before.

A plain reader sends nothing besides its token. A strict one sends the latest `Sluice-As-Of` that it got.
"""

import random
import statistics
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

AS_OF = "Sluice-As-Of"
LISTS = ("limit=100", "limit=40", "country=IS&limit=100", "country=IS&sort=elevation&limit=30")
"""Lists of the airports: each has a home replica of its own."""
ORDERED_BY_ID = LISTS[:2]
PAUSE_SECONDS = 0.1


@dataclass(frozen=True)
class Answer:
    """A response: when it arrived (seconds of the monotonic clock), how long it took, and the headers that matter."""

    path: str
    status: int
    arrived_at: float
    seconds: float
    cache: str
    age: int | None
    retry_after: str


@dataclass
class Reader:
    """One client. `sightings` are, in order, the versions of airports that it saw; None: the airport was not there."""

    shared: httpx.Client
    private: httpx.Client
    booking: str
    is_strict: bool
    chance: random.Random
    answers: list[Answer] = field(default_factory=list)
    sightings: list[tuple[str, str | None]] = field(default_factory=list)
    floor: str = ""
    older_moments: list[str] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def read(self, codes: Sequence[str]) -> None:
        """Read an airport, a list, or the booking."""
        choice = self.chance.random()
        if choice < 0.15:
            self._send(self.private, self.booking)
        elif choice < 0.4:
            query = self.chance.choice(LISTS)
            response = self._send(self.shared, f"/v1/airports?{query}")
            if response.status_code == 200:
                self._see_list(query, response.json())
        else:
            # The latest codes change most often, and the first ones are in the lists.
            code = self.chance.choice(self.chance.choice((codes[:40], codes[-40:], codes)))
            response = self._send(self.shared, f"/v1/airports/{code}")
            if response.status_code == 200:
                self._see(code, response.json()["version"])
            elif response.status_code == 404:
                self._see(code, None)

    def _see(self, code: str, version: str | None) -> None:
        self.sightings.append((code, version))
        self._seen.add(code)

    def _see_list(self, query: str, page: Mapping[str, Any]) -> None:
        items = {item["id"]: item["version"] for item in page["items"]}
        for code, version in items.items():
            self._see(code, version)
        if query in ORDERED_BY_ID and items:
            # An airport that was seen before, belongs between those of the page and is not there.
            last = max(items) if "next" in page else "ZZZZ"
            for code in [code for code in self._seen if code <= last and code not in items]:
                self._see(code, None)

    def _send(self, client: httpx.Client, path: str) -> httpx.Response:
        headers = {AS_OF: self.floor} if self.is_strict and self.floor else {}
        started = time.monotonic()
        response = client.get(path, headers=headers)
        now = time.monotonic()
        get = response.headers.get
        age = get("Age")
        self.answers.append(
            Answer(
                path,
                response.status_code,
                now,
                now - started,
                get("X-Cache", ""),
                int(age) if age else None,
                get("Retry-After", ""),
            )
        )
        moment = get(AS_OF, "")
        if headers and moment and moment < self.floor and response.status_code < 400:
            self.older_moments.append(f"{path}: {moment} after {self.floor}")
        self.floor = max(self.floor, moment)
        return response

    def list_steps_back(self, deletes: Mapping[str, Sequence[str]]) -> list[str]:
        """The sightings that were older than an earlier one of the same reader.

        An airport that is gone is as old as the first delete at or after what was seen of it.
        """
        floors: dict[str, str] = {}
        steps: list[str] = []
        for code, version in self.sightings:
            floor = floors.get(code, "")
            if version is None and not floor:
                continue  # it may not have been there yet
            shown = version or min((each for each in deletes.get(code, ()) if each >= floor), default="")
            if shown < floor:
                steps.append(f"{code}: {version or 'gone'} after {floor}")
            floors[code] = max(floor, shown)
        return steps


@dataclass(frozen=True)
class Phase:
    """What the readers got during some time."""

    answers: Sequence[Answer]

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    @property
    def errors(self) -> list[Answer]:
        return [answer for answer in self.answers if answer.status >= 500]

    def describe(self) -> str:
        """The counts by status, and how long the answers took."""
        times = sorted(answer.seconds for answer in self.answers)
        counts = ", ".join(f"{status}: {count:,}" for status, count in sorted(self.statuses.items()))
        return (
            f"{len(times):,} reads ({counts}); median {1000 * statistics.median(times):.0f} ms,"
            f" p99 {1000 * times[int(0.99 * len(times))]:.0f} ms, longest {times[-1]:.1f} s"
        )


class Readers:
    """Plain and strict readers that read at the same time, each in a thread of its own."""

    def __init__(self, readers: Sequence[Reader], list_codes: Callable[[], Sequence[str]]) -> None:
        self._readers, self._list_codes = readers, list_codes

    @contextmanager
    def read_continuously(self) -> Iterator[None]:
        """All read until the context ends. An exception of a reader is raised then."""
        stop = threading.Event()
        with ThreadPoolExecutor(len(self._readers)) as pool:
            futures = [pool.submit(self._read_until, reader, stop) for reader in self._readers]
            try:
                yield
            finally:
                stop.set()
        for future in futures:
            future.result()

    def _read_until(self, reader: Reader, stop: threading.Event) -> None:
        while not stop.wait(PAUSE_SECONDS):
            reader.read(self._list_codes())

    def get_phase(self, since: float) -> Phase:
        """What arrived since a moment of the monotonic clock."""
        answers = [answer for reader in self._readers for answer in reader.answers.copy()]
        return Phase([answer for answer in answers if answer.arrived_at >= since])

    def list_steps_back(self, deletes: Mapping[str, Sequence[str]], *, is_strict: bool) -> list[str]:
        """The steps back of all plain readers, or of all strict ones with what else they must not see."""
        readers = [reader for reader in self._readers if reader.is_strict == is_strict]
        steps = [step for reader in readers for step in reader.list_steps_back(deletes)]
        return steps + [moment for reader in readers for moment in reader.older_moments]

    def count_sightings(self, *, is_strict: bool) -> int:
        return sum(len(reader.sightings) for reader in self._readers if reader.is_strict == is_strict)


def create_readers(
    create_client: Callable[[str], httpx.Client],
    tokens: Mapping[str, str],
    booking: str,
    list_codes: Callable[[], Sequence[str]],
    number: int = 8,
) -> Readers:
    """Create so many readers: every second one is strict. `tokens` are those of `machine` and `owner`."""
    return Readers(
        [
            Reader(
                create_client(tokens["machine"]),
                create_client(tokens["owner"]),
                booking,
                is_strict=bool(each % 2),
                chance=random.Random(each),
            )
            for each in range(number)
        ],
        list_codes,
    )
