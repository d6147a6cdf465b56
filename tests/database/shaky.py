"""A primary whose connections fail at the place that a test selects."""

import time
from collections.abc import Callable
from typing import Any, Literal

from sluice.db.connection import Connection, Database
from sluice.settings import DatabaseSettings

Mishap = Literal["none", "slow", "killed_in_load", "killed_before_commit", "dies_before_commit", "dies_after_commit"]

SLOW = 0.01  # seconds between the last statement and the commit


class ProcessDied(Exception):  # noqa: N818
    """The loader's process ended at this place; the server sees only a broken connection."""


class ShakyDatabase(Database):
    """A `Database` whose next transaction fails by `mishap`, as soon as it reaches the mishap's place.

    `before_commit` is called before each commit, and before a mishap of the commit. `mishaps` counts them.
    """

    def __init__(self, settings: DatabaseSettings, kill: Callable[[int], object]) -> None:
        super().__init__(settings, statement_timeout_seconds=30, for_loading=True)
        self._kill = kill
        self.mishap: Mishap = "none"
        self.mishaps = 0
        self.before_commit: Callable[[], object] = lambda: None

    def _open_connection(self) -> Connection:
        connection = super()._open_connection()
        wire: Any = connection
        commit, write_packet = wire.commit, wire.write_packet

        def shaky_commit() -> None:
            self.before_commit()
            if self._takes_place("dies_before_commit"):
                raise ProcessDied
            if self._takes_place("killed_before_commit"):
                self._kill(wire.thread_id())
            if self._takes_place("slow"):
                time.sleep(SLOW)
            commit()
            if self._takes_place("dies_after_commit"):
                raise ProcessDied

        def shaky_write_packet(payload: bytes) -> None:
            if self._takes_place("killed_in_load"):
                self._kill(wire.thread_id())
            write_packet(payload)

        wire.commit, wire.write_packet = shaky_commit, shaky_write_packet
        return connection

    def _takes_place(self, mishap: Mishap) -> bool:
        if self.mishap != mishap:
            return False
        self.mishap = "none"
        self.mishaps += 1
        return True
