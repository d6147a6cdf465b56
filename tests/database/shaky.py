"""A primary whose connections fail where a test says."""

import time
from collections.abc import Callable
from typing import Any, Literal

from sluice.db.connection import Connection, Database
from sluice.settings import DatabaseSettings

Mishap = Literal["none", "slow", "killed_in_load", "killed_before_commit", "dies_before_commit", "dies_after_commit"]

SLOW = 0.01  # seconds between the last statement and the commit


class Died(Exception):  # noqa: N818
    """The loader's process ended here; the server sees only a broken connection."""


class ShakyDatabase(Database):
    """As `Database`. `mishap` befalls the next transaction that gets as far as the place where it lies in wait.

    `before_commit` is called before each commit, and before what may befall there.
    """

    def __init__(self, settings: DatabaseSettings, kill: Callable[[int], object]) -> None:
        super().__init__(settings, statement_timeout_seconds=30, for_loading=True)
        self._kill = kill
        self.mishap: Mishap = "none"
        self.befell = 0
        self.before_commit: Callable[[], object] = lambda: None

    def _open_connection(self) -> Connection:
        connection = super()._open_connection()
        wire: Any = connection
        commit, write_packet = wire.commit, wire.write_packet

        def shaky_commit() -> None:
            self.before_commit()
            if self._strikes("dies_before_commit"):
                raise Died
            if self._strikes("killed_before_commit"):
                self._kill(wire.thread_id())
            if self._strikes("slow"):
                time.sleep(SLOW)
            commit()
            if self._strikes("dies_after_commit"):
                raise Died

        def shaky_write_packet(payload: bytes) -> None:
            if self._strikes("killed_in_load"):
                self._kill(wire.thread_id())
            write_packet(payload)

        wire.commit, wire.write_packet = shaky_commit, shaky_write_packet
        return connection

    def _strikes(self, mishap: Mishap) -> bool:
        if self.mishap != mishap:
            return False
        self.mishap = "none"
        self.befell += 1
        return True
