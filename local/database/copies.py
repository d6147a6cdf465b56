"""Copies of a running server, made by mariadb-backup, and new servers from them.

https://mariadb.com/kb/en/setting-up-a-replica-with-mariadb-backup/ describes the procedure: copy, prepare, and tell the
new server at which GTID the copy was made.
"""

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from local.database.installation import find_program, get_system_user
from local.database.server import DatabaseServer
from local.process import LocalError

# A program that ends with the process that started it, also if that one is killed: the next start begins again.
BOUND = ("setpriv", "--pdeathsig", "KILL")

_POSITION_FILES = ("mariadb_backup_binlog_info", "xtrabackup_binlog_info")


@dataclass(frozen=True)
class ServerCopy:
    """A complete copy of a server's data: its folder, with the position of the server's log at which it was made."""

    folder: Path

    def read_position(self) -> tuple[str, int, str]:
        """Return file name, offset and GTID. The GTID is empty if the server has never logged a change."""
        file, position, *gtid = self._find_position_file().read_text().rstrip("\n").split("\t")
        return file, int(position), gtid[0] if gtid else ""

    def _find_position_file(self) -> Path:
        return next(path for name in _POSITION_FILES if (path := self.folder / name).exists())

    @property
    def is_new(self) -> bool:
        """Whether its server does not know yet at which position it was made."""
        return any((self.folder / name).exists() for name in _POSITION_FILES)


def declare_position(server: DatabaseServer) -> None:
    """Tell a server that runs on a new copy up to which GTID it has everything; do nothing if it knows.

    Its own log then continues the numbers of the copied server. A replica asks its source for what comes next.
    """
    copy = ServerCopy(server.data)
    if not copy.is_new:
        return
    gtid = copy.read_position()[2]
    with server.connect_as_root() as connection, connection.cursor() as cursor:
        cursor.execute("STOP SLAVE")
        cursor.execute("RESET SLAVE ALL")
        cursor.execute("RESET MASTER")
        cursor.execute("SET GLOBAL gtid_binlog_state = %s", (gtid,))
        cursor.execute("SET GLOBAL gtid_slave_pos = %s", (gtid if server.role.source else "",))
    copy._find_position_file().unlink()


def copy_server(server: DatabaseServer, folder: Path) -> ServerCopy:
    """Copy a running server, which goes on working, into `folder`, which it empties first. Raises LocalError."""
    if server.pid is None:
        raise LocalError(f"The {server.name} database does not run, so it cannot be copied.", server.log)
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    log = folder.parent / f"{folder.name}.log"
    _run(
        [
            *("--backup", f"--target-dir={folder}", f"--datadir={server.data}"),
            *(f"--socket={server.socket}", f"--user={get_system_user()}"),
        ],
        log,
        f"The {server.name} database could not be copied.",
    )
    _run(["--prepare", f"--target-dir={folder}"], log, f"The copy of the {server.name} database could not be prepared.")
    return ServerCopy(folder)


def _run(options: Sequence[str], log: Path, problem: str) -> None:
    with log.open("ab") as output:
        process = subprocess.run(
            [*BOUND, "nice", find_program("mariadb-backup"), "--no-defaults", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            env={**os.environ, "TZ": "UTC"},
        )
    if process.returncode != 0:
        raise LocalError(problem, log)


def install_copy(copy: ServerCopy, server: DatabaseServer) -> None:
    """Make a copy of the copy the data of a server that has none. The data appear at once, and complete."""
    folder = server.directory.parent / "staging" / server.name
    if folder != copy.folder:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(copy.folder, folder)
    server.directory.mkdir(parents=True, exist_ok=True)
    folder.rename(server.data)
