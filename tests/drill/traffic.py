"""Writes over HTTP from several clients at once, and the model of the rows that they must come to."""

import itertools
import random
import string
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx

from tests.stack.samples import airport

CLIENTS = 6

# An item's last write: its version, whether that was a delete, and of a put the name and the elevation.
Row = tuple[str, bool, str | None, float | None]
Rows = dict[str, Row]


class Traffic:
    """Clients of the API, each with airports of its own, whose codes all begin with `letter`.

    Half of the writes go to an airport that was written before, and one in ten is a delete. `rows` is what the table
    must have of them once all are loaded; a write counts from its 202 on, and anything but a 202 is a failure.
    """

    def __init__(self, client: Callable[[str], httpx.Client], token: str, letter: str, seed: int = 1) -> None:
        self._letter = letter
        self._api = [client(token) for _ in range(CLIENTS)]
        self._chance = [random.Random(seed * CLIENTS + n) for n in range(CLIENTS)]
        codes = ("".join([letter, *rest]) for rest in itertools.product(string.ascii_uppercase, repeat=3))
        self._codes = list(zip(*[codes] * CLIENTS, strict=False))
        self._rows: list[Rows] = [{} for _ in range(CLIENTS)]
        self.accepted = 0
        self._lock = threading.Lock()

    @property
    def rows(self) -> Rows:
        return {code: row for mine in self._rows for code, row in mine.items()}

    def write(self, count: int) -> None:
        """Make so many writes and return when all are accepted."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda one: self._some(one, count // CLIENTS + (one < count % CLIENTS)), range(CLIENTS)))

    @contextmanager
    def meanwhile(self) -> Iterator[None]:
        """A while in which all clients write without a pause."""
        over = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            going = [pool.submit(self._until, one, over) for one in range(CLIENTS)]
            try:
                yield
            finally:
                over.set()
        for one in going:
            one.result()

    def _until(self, one: int, over: threading.Event) -> None:
        while not over.is_set():
            self._some(one, 1)

    def _some(self, one: int, count: int) -> None:
        for _ in range(count):
            self._write(one)

    def _write(self, one: int) -> None:
        mine, chance = self._rows[one], self._chance[one]
        code = chance.choice(list(mine)) if mine and chance.random() < 0.5 else self._codes[len(mine)][one]
        path = f"/v1/airports/{code}"
        if mine and chance.random() < 0.1:
            answer = self._api[one].delete(path)
            row: tuple[Any, ...] = (True, None, None)
        else:
            name, elevation = f"Field {chance.getrandbits(32):x}", float(chance.randrange(9_000))
            answer = self._api[one].put(path, json=airport(code, name=name, elevation=elevation))
            row = (False, name, elevation)
        assert answer.status_code == 202, answer.text
        mine[code] = (answer.json()["version"], *row)
        with self._lock:
            self.accepted += 1

    def found(self, connection: Any) -> Rows:
        """What the table of a server has."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, version, deleted, name, elevation FROM airports WHERE id LIKE %s", (f"{self._letter}%",)
            )
            return {code: (version, bool(deleted), *rest) for code, version, deleted, *rest in cursor.fetchall()}
