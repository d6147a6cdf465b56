"""Writes over HTTP from several clients at once, and the model of the rows that must result."""

import itertools
import random
import string
import threading
import time
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
    """Clients of the API, each with its own airports. All codes begin with `letter`.

    Half of the writes go to an airport that was written before, and one in ten is a delete. `rows` is the expected
    content of the table after all loads, and `deletes` has the versions of all deletes by code. A write counts after
    its 202; any other status is a failure.
    """

    def __init__(self, client: Callable[[str], httpx.Client], token: str, letter: str, seed: int = 1) -> None:
        self._letter = letter
        self._api = [client(token) for _ in range(CLIENTS)]
        self._random = [random.Random(seed * CLIENTS + n) for n in range(CLIENTS)]
        codes = ("".join([letter, *rest]) for rest in itertools.product(string.ascii_uppercase, repeat=3))
        self._codes = list(zip(*[codes] * CLIENTS, strict=False))
        self._rows: list[Rows] = [{} for _ in range(CLIENTS)]
        self.deletes: dict[str, list[str]] = {}
        self.accepted = 0
        self._lock = threading.Lock()

    @property
    def rows(self) -> Rows:
        # Copies, because the clients may write meanwhile.
        return {code: row for rows in self._rows for code, row in rows.copy().items()}

    def write(self, count: int) -> None:
        """Send `count` writes and return when all are accepted."""
        with ThreadPoolExecutor(CLIENTS) as pool:
            list(
                pool.map(
                    lambda number: self._write_many(number, count // CLIENTS + (number < count % CLIENTS)),
                    range(CLIENTS),
                )
            )

    @contextmanager
    def write_continuously(self, pause_seconds: float = 0) -> Iterator[None]:
        """All clients write until the context ends, each with a pause after each write."""
        stop = threading.Event()
        with ThreadPoolExecutor(CLIENTS) as pool:
            futures = [pool.submit(self._write_until, number, stop, pause_seconds) for number in range(CLIENTS)]
            try:
                yield
            finally:
                stop.set()
        for future in futures:
            future.result()

    def _write_until(self, number: int, stop: threading.Event, pause_seconds: float) -> None:
        while not stop.is_set():
            self._write_many(number, 1)
            time.sleep(pause_seconds)

    def _write_many(self, number: int, count: int) -> None:
        for _ in range(count):
            self._write(number)

    def _write(self, number: int) -> None:
        rows, generator = self._rows[number], self._random[number]
        code = generator.choice(list(rows)) if rows and generator.random() < 0.5 else self._codes[len(rows)][number]
        path = f"/v1/airports/{code}"
        if rows and generator.random() < 0.1:
            answer = self._api[number].delete(path)
            row: tuple[Any, ...] = (True, None, None)
        else:
            name, elevation = f"Field {generator.getrandbits(32):x}", float(generator.randrange(9_000))
            answer = self._api[number].put(path, json=airport(code, name=name, elevation=elevation))
            row = (False, name, elevation)
        assert answer.status_code == 202, answer.text
        rows[code] = (answer.json()["version"], *row)
        if row[0]:
            self.deletes.setdefault(code, []).append(rows[code][0])
        with self._lock:
            self.accepted += 1

    def read_rows(self, connection: Any) -> Rows:
        """Read the rows of the server's table that belong to this traffic."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, version, deleted, name, elevation FROM airports WHERE id LIKE %s", (f"{self._letter}%",)
            )
            return {code: (version, bool(deleted), *rest) for code, version, deleted, *rest in cursor.fetchall()}
