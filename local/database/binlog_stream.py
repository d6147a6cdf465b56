"""Copy the binary log of a server to another folder while it is written: what a restore to a moment needs.

mariadb-binlog does it (https://mariadb.com/kb/en/using-mariadb-binlog/, `--raw --stop-never`). It begins a file again
when it connects again. Each connection therefore has a folder of its own, and of each file the longest copy counts,
because a server only appends to its log.
"""

import time
from collections.abc import Iterable
from pathlib import Path

from local.database.installation import find_program, get_system_user
from local.database.server import DatabaseServer
from local.process import is_running, read_pid, start_process, stop_process

# The identifier with which it connects, beyond those of the servers.
_FIRST_ID = 1_000_000
_ANSWER_SECONDS = 2.0
_UNTIL, _PID = "until", "pid"


class BinlogStream:
    """The copy of one server's log below `folder`. It runs as a process of its own, and goes on when its maker ends."""

    def __init__(self, server: DatabaseServer, folder: Path) -> None:
        self._server, self.folder = server, folder

    @property
    def pid(self) -> int | None:
        pid = read_pid(self.folder / _PID)
        session = self._read_session()
        return pid if session and is_running(pid, f"--result-file={session}/") else None

    def _read_session(self) -> Path | None:
        sessions = sorted(path for path in self.folder.glob("*") if path.is_dir())
        return sessions[-1] if sessions else None

    def follow(self, first_file: str) -> None:
        """Start it unless it runs, and note the moment until which it has everything. Raises pymysql.Error, OSError.

        `first_file` is the first file of the log that is needed.
        """
        now = time.time()
        with self._server.connect_as_root(_ANSWER_SECONDS) as connection, connection.cursor() as cursor:
            cursor.execute("SHOW MASTER STATUS")
            [(file, position, *_)] = cursor.fetchall()
        if self.pid is None:
            copied = list(list_copied_files(self.folder))
            self._start(copied[-1] if copied else first_file)
        copies = list_copied_files(self.folder)
        if file in copies and copies[file].stat().st_size >= int(position):
            _write(self.folder / _UNTIL, str(now))

    def _start(self, first_file: str) -> None:
        session = self.folder / f"{time.time_ns():020d}"
        session.mkdir(parents=True)
        arguments = [
            find_program("mariadb-binlog"),
            *("--no-defaults", "--read-from-remote-server", "--raw", "--stop-never"),
            f"--stop-never-slave-server-id={_FIRST_ID + self._server.role.server_id}",
            f"--socket={self._server.socket}",
            f"--user={get_system_user()}",
            f"--result-file={session}/",
            first_file,
        ]
        _write(self.folder / _PID, str(start_process(arguments, self.folder / "stream.log")))

    def stop(self) -> None:
        """End it; return when the process has ended."""
        session = self._read_session()
        if session:
            stop_process(self.pid, f"--result-file={session}/")


def read_streamed_moment(folder: Path) -> float | None:
    """The moment until which a log is copied for certain, in seconds since 1970, or None."""
    try:
        return float((folder / _UNTIL).read_text())
    except (FileNotFoundError, ValueError):
        return None


def list_copied_files(folder: Path) -> dict[str, Path]:
    """The longest copy of each file of a log, by its name, in the order of the log."""
    copies: dict[str, Path] = {}
    for path in _list_files(folder):
        if path.name not in copies or path.stat().st_size > copies[path.name].stat().st_size:
            copies[path.name] = path
    return dict(sorted(copies.items()))


def _list_files(folder: Path) -> Iterable[Path]:
    return folder.glob("*/*.[0-9]*")


def _write(path: Path, text: str) -> None:
    new_file = path.with_name(f"{path.name}.new")
    new_file.write_text(text)
    new_file.replace(path)
