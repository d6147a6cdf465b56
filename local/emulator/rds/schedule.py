"""The clock of the backups: a snapshot each night, one on demand, and the log of every instance that has a snapshot."""

import contextlib
import datetime
import logging
import threading
import time

import pymysql

from local.database.backups import Backups, get_request_file
from local.emulator.rds.changes import AVAILABLE, Changes
from local.emulator.rds.descriptions import Descriptions
from local.emulator.rds.registry import Instance, Registry

_logger = logging.getLogger("sluice.emulator")

# When the backup window begins each night, in UTC.
_NIGHT_HOUR = 3
_TICK_SECONDS = 1.0
# A stack that has just started is busy with its deployment.
_FIRST_BACKUP_SECONDS = 60


def find_last_night(now: datetime.datetime) -> datetime.datetime:
    """The beginning of the last backup window."""
    night = now.replace(hour=_NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return night if night <= now else night - datetime.timedelta(days=1)


class BackupClock:
    """Takes the automated snapshots and follows the logs. Without `is_nightly` it takes snapshots on demand only."""

    def __init__(
        self,
        registry: Registry,
        changes: Changes,
        backups: Backups,
        descriptions: Descriptions,
        *,
        is_nightly: bool,
    ) -> None:
        self._registry, self._changes, self._backups = registry, changes, backups
        self._descriptions, self._is_nightly = descriptions, is_nightly
        self._started = time.monotonic()
        self._demanded = False

    def run(self) -> None:
        pause = threading.Event()
        while not pause.wait(_TICK_SECONDS):
            try:
                self.tick()
            except Exception:
                # The next second has its backups too.
                _logger.exception("The backups could not be looked after.")

    def tick(self) -> None:
        """Do what is due."""
        for instance in self._registry.list_instances():
            if not instance.retention_days or self._descriptions.get_status(instance) != AVAILABLE:
                continue
            snapshots = [entry for entry in self._backups.list_snapshots() if entry.instance == instance.resource]
            if snapshots and self._changes.get_server(instance).pid is not None:
                first_file = self._backups.read_log_start(snapshots[0])
                with contextlib.suppress(OSError, pymysql.Error):
                    self._changes.get_stream(instance).follow(first_file)
            newest = max((entry.created for entry in snapshots if entry.kind == "automated"), default=0.0)
            if self._is_demanded(instance) or self._is_due(newest):
                self._back_up(instance)
        if self._demanded and not any(entry.operation for entry in self._registry.list_instances()):
            self._demanded = False
            get_request_file(self._registry.root).unlink(missing_ok=True)

    def _is_demanded(self, instance: Instance) -> bool:
        if instance.name != "primary" or self._demanded or not get_request_file(self._registry.root).exists():
            return False
        self._demanded = True
        return True

    def _is_due(self, newest: float) -> bool:
        if not self._is_nightly or time.monotonic() < self._started + _FIRST_BACKUP_SECONDS:
            return False
        return newest < find_last_night(datetime.datetime.now(datetime.UTC)).timestamp()

    def _back_up(self, instance: Instance) -> None:
        if self._changes.get_server(instance).pid is not None:
            moment = f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d-%H-%M-%S}"
            self._changes.begin_backup(instance, f"rds:{instance.identifier}-{moment}", "automated")
