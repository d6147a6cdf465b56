"""Backups of the servers of a stack: copies (the snapshots of RDS) and the logs that lead from one to a later moment.

They are beside the servers, in `backups/`, so that they survive the loss of a data directory:
`snapshots/<folder>/` is a copy with `snapshot.json`, `logs/<instance>/` is the copied log of an instance.
"""

import datetime
import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from local.database.binlog_stream import list_copied_files
from local.database.copies import BOUND, ServerCopy, copy_server, declare_position, install_copy
from local.database.installation import find_program, get_system_user
from local.database.server import DatabaseServer
from local.process import LocalError

_MAX_PACKET = 1 << 30


@dataclass(frozen=True)
class Snapshot:
    """A copy of an instance. `created` is the time when the copy was complete, in seconds since 1970: it has everything
    that was committed before its start. `kind` is `automated` or `manual`. `instance` is RDS's resource identifier,
    which stays when an instance is renamed; `name` is that of its server at that time."""

    identifier: str
    kind: str
    instance: str
    name: str
    created: float
    folder: str


class Backups:
    """The backups below the folder of a stack's servers."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._snapshots = root / "backups" / "snapshots"

    def get_log_folder(self, instance: str) -> Path:
        """The folder of the copied log of an instance, by its resource identifier."""
        return self.root / "backups" / "logs" / instance

    def list_snapshots(self) -> list[Snapshot]:
        """All complete snapshots, the oldest first."""
        files = self._snapshots.glob("*/snapshot.json")
        return sorted((Snapshot(**json.loads(file.read_text())) for file in files), key=lambda entry: entry.created)

    def take(self, server: DatabaseServer, instance: str, identifier: str, kind: str) -> Snapshot:
        """Copy a running server. The snapshot exists when it is complete. Raises LocalError."""
        folder = self._snapshots / secrets.token_hex(8)
        copy_server(server, folder)
        snapshot = Snapshot(identifier, kind, instance, server.name, time.time(), folder.name)
        new_file = folder / "snapshot.new"
        new_file.write_text(json.dumps(asdict(snapshot)))
        new_file.rename(folder / "snapshot.json")
        return snapshot

    def delete(self, snapshot: Snapshot) -> None:
        folder = self._snapshots / snapshot.folder
        (folder / "snapshot.json").unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        (self._snapshots / f"{snapshot.folder}.log").unlink(missing_ok=True)

    def delete_unfinished(self) -> None:
        """Remove the copies that were being made when the process that made them was killed."""
        for folder in self._snapshots.glob("*/"):
            if not (folder / "snapshot.json").exists():
                shutil.rmtree(folder, ignore_errors=True)

    def read_log_start(self, snapshot: Snapshot) -> str:
        """The file of the log that was current when a snapshot was taken."""
        return ServerCopy(self._snapshots / snapshot.folder).read_position()[0]

    def forget_old(self, instance: str, days: float) -> None:
        """Remove the automated snapshots that are older than their retention, but never the newest of an instance."""
        automated = [
            entry for entry in self.list_snapshots() if entry.instance == instance and entry.kind == "automated"
        ]
        for snapshot in automated[:-1]:
            if snapshot.created < time.time() - days * 86400:
                self.delete(snapshot)
        needed = [self.read_log_start(entry) for entry in self.list_snapshots() if entry.instance == instance]
        for path in self.get_log_folder(instance).glob("*/*.[0-9]*"):
            if needed and path.name < min(needed):
                path.unlink()

    def forget_instance(self, instance: str) -> None:
        """Remove the automated backups of an instance: snapshots and log."""
        for snapshot in self.list_snapshots():
            if snapshot.instance == instance and snapshot.kind == "automated":
                self.delete(snapshot)
        shutil.rmtree(self.get_log_folder(instance), ignore_errors=True)

    def find_snapshot_before(self, instance: str, moment: float) -> Snapshot | None:
        """The newest snapshot of an instance that has nothing after a moment."""
        earlier = [entry for entry in self.list_snapshots() if entry.instance == instance and entry.created <= moment]
        return earlier[-1] if earlier else None

    def restore(
        self, snapshot: Snapshot, server: DatabaseServer, *, with_log: bool, until: float | None = None
    ) -> None:
        """Start a server that has no data on a snapshot. With the log it goes on to a moment, or to its end.

        `until` is in seconds since 1970, to the second. The server has the users and passwords of that moment. Raises
        LocalError.
        """
        copy = ServerCopy(self._snapshots / snapshot.folder)
        file, position, _ = copy.read_position()
        install_copy(copy, server)
        server.start()
        declare_position(server)
        if with_log:
            copied = list_copied_files(self.get_log_folder(snapshot.instance))
            if files := [path for name, path in copied.items() if name >= file]:
                _apply_log(server, files, position if files[0].name == file else 4, until)


def _apply_log(server: DatabaseServer, files: Sequence[Path], position: int, until: float | None) -> None:
    """Repeat the changes of a log, with their GTIDs, up to a moment. Raises LocalError."""
    with server.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT @@GLOBAL.max_allowed_packet")
        [[usual]] = cursor.fetchall()
        cursor.execute("SET GLOBAL max_allowed_packet = %s", (_MAX_PACKET,))
    read = [*BOUND, find_program("mariadb-binlog"), "--no-defaults", f"--start-position={position}"]
    if until is not None:
        # It stops at the first change with this time, which is in seconds.
        stop = datetime.datetime.fromtimestamp(until, datetime.UTC)
        read.append(f"--stop-datetime={stop:%Y-%m-%d %H:%M:%S}")
    write = [
        *(*BOUND, find_program("mariadb"), "--no-defaults", "--binary-mode", f"--max-allowed-packet={_MAX_PACKET}"),
        *(f"--socket={server.socket}", f"--user={get_system_user()}"),
    ]
    log = server.directory / "restore.log"
    environment = {**os.environ, "TZ": "UTC"}
    with (
        log.open("ab") as output,
        subprocess.Popen([*read, *map(str, files)], stdout=subprocess.PIPE, stderr=output, env=environment) as reader,
    ):
        writer = subprocess.run(write, stdin=reader.stdout, stdout=output, stderr=output, env=environment, check=False)
        if reader.stdout:
            reader.stdout.close()
    if reader.returncode != 0 or writer.returncode != 0:
        raise LocalError(f"The log could not be applied to the {server.name} database.", log)
    with server.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("SET GLOBAL max_allowed_packet = %s", (usual,))


def get_request_file(root: Path) -> Path:
    """The file that asks the emulator of a stack for a snapshot; it removes it when the snapshot is complete."""
    return root / "backup-requested"


def request_backup(root: Path, seconds: float = 300) -> Snapshot:
    """Let the running emulator of a stack take an automated snapshot of the primary. Raises LocalError.

    `root` is the folder of the servers.
    """
    backups, deadline, request = Backups(root), time.monotonic() + seconds, get_request_file(root)
    before = {snapshot.identifier for snapshot in backups.list_snapshots()}
    request.touch()
    while request.exists():
        if time.monotonic() > deadline:
            request.unlink(missing_ok=True)
            raise LocalError(f"The emulator took no snapshot within {seconds:.0f} seconds; is the stack up?")
        time.sleep(0.1)
    new = [snapshot for snapshot in backups.list_snapshots() if snapshot.identifier not in before]
    if not new:
        raise LocalError("The snapshot failed; the reason is in the log of the emulator.")
    return new[-1]
