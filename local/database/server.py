"""One MariaDB server process with a data directory of its own."""

import signal
import ssl
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pymysql
from pymysql.connections import Connection

from local.database.installation import find_program, get_system_user
from local.database.role import Role, read_role
from local.process import (
    LocalError,
    find_free_port,
    is_port_free,
    is_running,
    read_pid,
    start_process,
    stop_process,
)

_SETTINGS = (
    "--bind-address=127.0.0.1",
    "--skip-name-resolve",
    "--require-secure-transport=ON",
    "--local-infile=1",
    "--character-set-server=utf8mb4",
    "--default-time-zone=+00:00",
    "--sql-mode=STRICT_ALL_TABLES,STRICT_TRANS_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION",
    "--innodb-flush-log-at-trx-commit=1",
    "--gtid-strict-mode=ON",
    "--performance-schema=OFF",
    # Both slow down a stop or a start, and do not help a buffer pool of this size.
    "--innodb-buffer-pool-dump-at-shutdown=OFF",
    "--innodb-buffer-pool-load-at-startup=OFF",
)


class DatabaseServer:
    """A server in `directory`: `data/`, `tmp/`, `server.log`, its role and its pid. It listens on 127.0.0.1 only.

    Its name is that of the folder. Its port is in the folder `ports` beside it, because it belongs to the name.
    """

    host = "127.0.0.1"

    def __init__(self, directory: Path, *, certificates: Path, settings: Sequence[str]) -> None:
        self.directory = directory.resolve()
        self.certificates = certificates.resolve()
        self.settings = settings
        self.log = self.directory / "server.log"

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def role(self) -> Role:
        """Whether it replicates another server."""
        return read_role(self.directory)

    @property
    def port(self) -> int:
        """The port of its name, chosen at the first start. It changes only if it is not free at a later start."""
        number = read_pid(self._port_file)
        if number is None:
            raise LocalError(f"The database in {self.directory} was never started.")
        return number

    @property
    def pid(self) -> int | None:
        """The pid of the running server, or None."""
        pid = read_pid(self.directory / "pid")
        return pid if is_running(pid, self._mark) else None

    @property
    def _mark(self) -> str:
        return f"--datadir={self.data}"

    def start(self) -> None:
        """Start it unless it runs, and return when it accepts connections. Raises LocalError."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start it unless it runs, without waiting."""
        if self.pid is not None:
            return
        (self.directory / "tmp").mkdir(parents=True, exist_ok=True)
        arguments = [
            find_program("mariadbd"),
            "--no-defaults",
            self._mark,
            f"--user={get_system_user()}",
            f"--port={self._choose_port()}",
            # Relative to the data directory: the path of a socket may have 107 characters, that of a folder more.
            "--socket=server.sock",
            "--pid-file=mariadbd.pid",
            f"--tmpdir={self.directory / 'tmp'}",
            f"--ssl-ca={self.certificates / 'ca.pem'}",
            f"--ssl-cert={self.certificates / 'server.pem'}",
            f"--ssl-key={self.certificates / 'server.key'}",
            *_SETTINGS,
            *self.role.settings,
            *self.settings,
        ]
        (self.directory / "pid").write_text(str(start_process(arguments, self.log)))

    @property
    def _port_file(self) -> Path:
        return self.directory.parent / "ports" / self.name

    def reserve_port(self) -> int:
        """The port of its name, which it chooses now if the name is new."""
        port = read_pid(self._port_file)
        return self._save_port(find_free_port()) if port is None else port

    def _choose_port(self) -> int:
        port = self.reserve_port()
        return port if is_port_free(port) else self._save_port(find_free_port())

    def _save_port(self, port: int) -> int:
        self._port_file.parent.mkdir(parents=True, exist_ok=True)
        self._port_file.write_text(str(port))
        return port

    def wait_until_ready(self, seconds: float = 60) -> None:
        """Return when it accepts connections. Raises LocalError if it ends or the time is over."""
        deadline = time.monotonic() + seconds
        while True:
            pid = self.pid
            if pid is None:
                raise LocalError(f"The {self.directory.name} database ended during its start.", self.log)
            try:
                self.connect_as_root().close()
            except pymysql.OperationalError as error:
                if time.monotonic() > deadline:
                    message = f"The {self.directory.name} database was not ready within {seconds:.0f} seconds."
                    raise LocalError(message, self.log) from error
                time.sleep(0.02)
            else:
                return

    def stop(self, seconds: float = 60) -> None:
        """Shut it down cleanly; return when the process has ended. Raises LocalError if it takes longer."""
        stop_process(self.pid, self._mark, with_signal=signal.SIGTERM, seconds=seconds)

    def kill(self) -> None:
        """SIGKILL, as when a machine fails; return when the process has ended."""
        stop_process(self.pid, self._mark, with_signal=signal.SIGKILL)

    def connect(self, username: str, password: str, **options: Any) -> "Connection[Any]":
        """A PyMySQL connection over TLS that verifies chain and host name; the options go to `pymysql.connect`."""
        tls = ssl.create_default_context(cafile=str(self.certificates / "ca.pem"))
        return pymysql.connect(
            host=self.host, port=self.port, user=username, password=password, ssl=tls, charset="utf8mb4", **options
        )

    @property
    def socket(self) -> str:
        """The path of the running server's socket."""
        return f"/proc/{self.pid}/cwd/server.sock"

    def connect_as_root(self, seconds: float | None = None) -> "Connection[Any]":
        """A connection over the socket with every privilege, for the owner of the machine only.

        `seconds` limits how long it waits for an answer: a server that hangs gives none. Then it raises pymysql.Error.
        """
        # Without ssl_disabled, PyMySQL first reads all CA certificates of the machine, which takes longer than a query.
        return pymysql.connect(
            unix_socket=self.socket,
            user=get_system_user(),
            charset="utf8mb4",
            autocommit=True,
            ssl_disabled=True,
            read_timeout=seconds,
        )
