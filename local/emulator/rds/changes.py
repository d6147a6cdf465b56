"""The changes of instances, each in a thread of its own. One that a kill interrupts is made again from the start."""

import contextlib
import logging
import shutil
import threading
from typing import Any

import pymysql

from local.database import DatabaseServers, ReplicaServer
from local.database.backups import Backups
from local.database.binlog_stream import BinlogStream
from local.database.role import Role, choose_server_id, read_role, write_role
from local.emulator.rds import events
from local.emulator.rds.registry import Instance, Registry
from local.process import LocalError

_logger = logging.getLogger("sluice.emulator")

AVAILABLE, FAILED = "available", "failed"
_CREATIONS = {"restore", "replicate"}
# For how long a promoted replica applies what it has received.
_APPLY_SECONDS = 60
_STOP_SECONDS = 15


class Changes:
    """Makes the changes that the API accepts."""

    def __init__(self, registry: Registry, servers: DatabaseServers, backups: Backups) -> None:
        self._registry, self._servers, self._backups = registry, servers, backups

    def begin(self, instance: Instance, status: str, kind: str, **needs: Any) -> None:
        """Begin a change, inside `registry.change()`. `needs` goes into JSON and is what the change must know."""
        instance.status, instance.operation = status, {"kind": kind, **needs}
        self._start(instance)

    def begin_backup(self, instance: Instance, identifier: str, kind: str) -> None:
        """Begin to take a snapshot, `automated` or `manual`."""
        with self._registry.change():
            self.begin(instance, "backing-up", "back_up", snapshot=identifier, snapshot_kind=kind)

    def resume(self) -> int:
        """Go on with the changes that the emulator before this one began, and return their number."""
        unfinished = [instance for instance in self._registry.list_instances() if instance.operation]
        for instance in unfinished:
            self._start(instance)
        return len(unfinished)

    def _start(self, instance: Instance) -> None:
        threading.Thread(target=self._make, args=(instance,), daemon=True, name="rds").start()

    def _make(self, instance: Instance) -> None:
        # The request that began the change saves it first.
        with self._registry.change():
            needs = dict(instance.operation or {})
        kind = needs.pop("kind")
        try:
            getattr(self, f"_{kind}")(instance, **needs)
            status = AVAILABLE
        except Exception:
            _logger.exception("The change %s of %s failed.", kind, instance.identifier)
            status = FAILED if kind in _CREATIONS else AVAILABLE
        with self._registry.change():
            instance.status, instance.operation = status, None
        if status == FAILED:
            events.send_event(events.FAILED, instance)

    def get_server(self, instance: Instance) -> ReplicaServer:
        return self._servers.get(instance.name)

    def get_stream(self, instance: Instance) -> BinlogStream:
        return BinlogStream(self.get_server(instance), self._backups.get_log_folder(instance.resource))

    def _restore(self, instance: Instance, snapshot: str, until: float | None, *, with_log: bool) -> None:
        server = self._remove_data(instance)
        self._assign_role(server, "")
        copied = next(entry for entry in self._backups.list_snapshots() if entry.folder == snapshot)
        self._backups.restore(copied, server, with_log=with_log, until=until)
        events.send_event(events.RESTORED_TO_MOMENT if with_log else events.RESTORED_SNAPSHOT, instance)
        self._back_up_first(instance)

    def _replicate(self, instance: Instance) -> None:
        source = self._registry.find_resource(instance.source)
        if source is None:
            raise LocalError(f"The source of {instance.identifier} is gone.")
        server = self._remove_data(instance)
        role = self._assign_role(server, source.name)
        self._servers.seed_replica(server, self.get_server(source), role)
        events.send_event(events.CREATED, instance)

    def _remove_data(self, instance: Instance) -> ReplicaServer:
        server = self.get_server(instance)
        self._end(server)
        shutil.rmtree(server.directory, ignore_errors=True)
        server.reserve_port()
        return server

    def _assign_role(self, server: ReplicaServer, source: str) -> Role:
        with self._registry.change():
            role = Role(choose_server_id(self._registry.root), source)
            write_role(server.directory, role)
        return role

    def _back_up_first(self, instance: Instance) -> None:
        if instance.retention_days:
            with self._registry.change():
                instance.status = "backing-up"
            identifier = f"rds:{instance.identifier}-first-{instance.resource[-8:].lower()}"
            self._back_up(instance, identifier, "automated")

    def _back_up(self, instance: Instance, snapshot: str, snapshot_kind: str) -> None:
        if snapshot not in {entry.identifier for entry in self._backups.list_snapshots()}:
            self._backups.take(self.get_server(instance), instance.resource, snapshot, snapshot_kind)
        if snapshot_kind == "automated":
            self._backups.forget_old(instance.resource, instance.retention_days)
        events.send_event(events.BACKED_UP, instance)

    def _modify(self, instance: Instance, settings: dict[str, Any], password: str, name: str) -> None:
        with self._registry.change():
            if (
                settings.get("DBParameterGroupName", instance.settings["DBParameterGroupName"])
                != (instance.settings["DBParameterGroupName"])
            ):
                instance.settings["ParameterApplyStatus"] = "pending-reboot"
            instance.settings.update(settings)
        if password:
            self._set_password(self.get_server(instance), password)
        if name and name != instance.name:
            self._rename(instance, name)

    def _set_password(self, server: ReplicaServer, password: str) -> None:
        """`password` is MariaDB's hash of it."""
        username, _ = self._servers.admin_credentials
        with server.connect_as_root() as connection, connection.cursor() as cursor:
            cursor.execute("ALTER USER %s@'%%' IDENTIFIED BY PASSWORD %s", (username, password))

    def _rename(self, instance: Instance, name: str) -> None:
        old, new = self.get_server(instance), self._servers.get(name)
        self.get_stream(instance).stop()
        was_running = old.pid is not None
        self._end(old)
        if was_running:
            events.send_event(events.SHUT_DOWN, instance)
        with self._servers.acquire_lock():
            if old.directory.exists() and not new.directory.exists():
                old.directory.rename(new.directory)
            new.reserve_port()
        with self._registry.change():
            self._registry.rename(instance, name)
        if new.data.exists():
            self._run(new)
            events.send_event(events.RESTARTED, instance)
        for replica in self._registry.list_replicas(instance):
            self._follow(self.get_server(replica), name)

    def _follow(self, replica: ReplicaServer, source: str) -> None:
        """Let a replica follow its source under the new name."""
        if replica.directory.exists():
            write_role(replica.directory, Role(read_role(replica.directory).server_id, source))
        if replica.pid is not None:
            # One that hangs follows when it starts again.
            with contextlib.suppress(OSError, pymysql.Error):
                replica.start_replication(self._servers.replication_account)

    def _reboot(self, instance: Instance) -> None:
        server = self.get_server(instance)
        self._end(server)
        events.send_event(events.SHUT_DOWN, instance)
        self._run(server)
        with self._registry.change():
            instance.settings.pop("ParameterApplyStatus", None)
        events.send_event(events.RESTARTED, instance)

    def _promote(self, instance: Instance) -> None:
        server = self.get_server(instance)
        self._run(server)
        if server.role.source:
            _stop_replication(server)
            write_role(server.directory, Role(server.role.server_id))
        with self._registry.change():
            instance.source, instance.status = "", "rebooting"
        self._end(server)
        self._run(server)
        events.send_event(events.RESTARTED, instance)
        self._back_up_first(instance)

    def _delete(self, instance: Instance, *, keeps_backups: bool) -> None:
        self.get_stream(instance).stop()
        server = self.get_server(instance)
        self._end(server)
        shutil.rmtree(server.directory, ignore_errors=True)
        if not keeps_backups:
            self._backups.forget_instance(instance.resource)
        with self._registry.change():
            if keeps_backups:
                self._registry.retained[instance.resource] = instance.name
            for replica in self._registry.list_replicas(instance):
                replica.source = ""
            self._registry.remove(instance)
        events.send_event(events.DELETED, instance)

    def _run(self, server: ReplicaServer) -> None:
        with self._servers.acquire_lock():
            server.start()
        server.start_replication(self._servers.replication_account)

    def _end(self, server: ReplicaServer) -> None:
        try:
            server.stop(_STOP_SECONDS)
        except LocalError:
            # It hangs. RDS would replace its host.
            server.kill()


def _stop_replication(server: ReplicaServer) -> None:
    """End replication after the replica has applied all that it has received."""
    with server.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE IO_THREAD")
        received = server.read_replication_status().get("Gtid_IO_Pos", "")
        cursor.execute("SELECT MASTER_GTID_WAIT(%s, %s)", (received, _APPLY_SECONDS))
        cursor.execute("STOP SLAVE")
        cursor.execute("RESET SLAVE ALL")
